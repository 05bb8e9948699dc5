"""The `document` actions beyond single documents by id: many at once, by query, in part."""
