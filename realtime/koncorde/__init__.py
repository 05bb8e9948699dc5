"""Koncorde, the language of realtime filters: read, brought to one form, matched by an index."""
