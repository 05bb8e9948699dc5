"""A document that aggregations are computed of, with the values that these look at."""

from __future__ import annotations

from storage.evaluate import FieldValues
from storage.sqlite.catalog import Collection


class Counted:
    """One document."""

    __slots__ = ("collection", "doc", "fields", "place")

    def __init__(self, collection: Collection, doc: int, id: str) -> None:
        self.collection = collection
        self.doc = doc
        self.place = (id, collection.index, collection.name)
        self.fields: FieldValues = {}
