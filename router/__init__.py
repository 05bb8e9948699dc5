"""The core: one envelope, one action table, one dispatch. Knows no wire and no store."""
