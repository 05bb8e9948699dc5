"""The embedded engine: one SQLite file, one writer thread, every acknowledged write on disk."""
