"""Who did what to what: a chain of entries, in files that are only ever added to."""
