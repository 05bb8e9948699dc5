"""Files becoming documents or assets of a running router, piece by piece, from where it stopped."""
