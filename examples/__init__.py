"""Applications and demonstrations; `make run` starts `quickstart`."""
