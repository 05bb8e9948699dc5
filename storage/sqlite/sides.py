"""The side tables: the values of mapped fields, one row each, that searches run over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import apsw

from storage.plan import Row
from storage.stamps import STAMP

UPDATED: Final = f"{STAMP}.updatedAt"
"""The one field that every write changes. It is a column of `documents_n` instead, unindexed:
measured, its rows cost each update 13 of 43 us (docs/decisions/0004)."""


class SideChanges:
    """Rows of one collection's side tables to take out and to put in.

    Args:
        fields: The number of each field that has rows; `fields` afterwards has the new ones too.
    """

    def __init__(self, fields: dict[str, int]) -> None:
        self.fields = fields
        self._old_values: list[tuple[object, ...]] = []
        self._new_values: list[tuple[object, ...]] = []
        self._old_places: list[tuple[object, ...]] = []
        self._new_places: list[tuple[object, ...]] = []

    def add(self, doc: int, gone: Iterable[Row], new: Iterable[Row]) -> None:
        """One document loses and gains these rows."""
        self._add_to(self._old_values, self._old_places, doc, gone)
        self._add_to(self._new_values, self._new_places, doc, new)

    def _add_to(
        self,
        values: list[tuple[object, ...]],
        places: list[tuple[object, ...]],
        doc: int,
        rows: Iterable[Row],
    ) -> None:
        for path, _, value in rows:
            if path == UPDATED:
                continue
            field = self.fields.get(path) or self._number(path)
            if type(value) is tuple:
                places.append((field, *value, doc))
            else:
                values.append((field, value, doc))

    def _number(self, path: str) -> int:
        self.fields = {**self.fields, path: len(self.fields) + 1}
        return self.fields[path]

    def flush(self, connection: apsw.Connection, number: int) -> None:
        """Bring the tables of the collection up to date."""
        if self._old_values:
            connection.executemany(
                f"DELETE FROM values_{number} WHERE field = ? AND value = ? AND doc = ?",
                self._old_values,
            )
        if self._new_values:
            connection.executemany(
                f"INSERT OR IGNORE INTO values_{number} VALUES (?, ?, ?)", self._new_values
            )
        if self._old_places:
            connection.executemany(
                f"DELETE FROM places_{number} WHERE field = ? AND lat = ? AND lon = ? AND doc = ?",
                self._old_places,
            )
        if self._new_places:
            connection.executemany(
                f"INSERT OR IGNORE INTO places_{number} VALUES (?, ?, ?, ?)", self._new_places
            )
