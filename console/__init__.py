"""The web pages: static files only, which the HTTP listener serves under `/_console/`."""
