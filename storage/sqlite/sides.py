"""The side tables: the values of mapped fields, one row each, that searches run over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import apsw

from storage.plan import Row
from storage.sqlite.texts import TextChanges, create
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
        self._texts = TextChanges()
        self._first_texts = False

    def add(
        self,
        doc: int,
        gone: Iterable[Row],
        new: Iterable[Row],
        whole: Callable[[], Iterable[Row]],
    ) -> None:
        """One document loses and gains these rows; `whole` gives all that it then has."""
        texts = self._add_to(self._old_values, self._old_places, doc, gone)
        texts += self._add_to(self._new_values, self._new_places, doc, new)
        if texts:
            self._add_texts(doc, set(texts), whole)

    def _add_texts(self, doc: int, paths: set[str], whole: Callable[[], Iterable[Row]]) -> None:
        texts: dict[str, list[str]] = {path: [] for path in paths}
        for path, kind, value in whole():
            if kind == "text" and path in texts:
                texts[path].append(str(value))
        for path, found in texts.items():
            self._texts.put(doc, self.fields[path], found)

    def _add_to(
        self,
        values: list[tuple[object, ...]],
        places: list[tuple[object, ...]],
        doc: int,
        rows: Iterable[Row],
    ) -> list[str]:
        """Note the rows; the paths of the texts among them."""
        texts: list[str] = []
        for path, kind, value in rows:
            if path == UPDATED:
                continue
            if kind == "text":
                texts.append(path)
            field = self.fields.get(path)
            if field is None:
                field = self._number(path)
                self._first_texts = self._first_texts or kind == "text"
            if type(value) is tuple:
                places.append((field, *value, doc))
            else:
                values.append((field, value, doc))
        return texts

    def _number(self, path: str) -> int:
        self.fields = {**self.fields, path: len(self.fields) + 1}
        return self.fields[path]

    def flush(self, connection: apsw.Connection, number: int) -> None:
        """Bring the tables of the collection up to date."""
        if self._first_texts:
            create(connection, number)
        self._texts.flush(connection, number)
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
