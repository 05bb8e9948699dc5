"""The index of words: which documents hold which words of which text fields, in which order.

`words_n` (FTS5, without the texts themselves) holds one row for each document and field: its
words as `storage.words` cuts them, each behind the number of its field, so that a question to one
field reads that field alone. `spelling_n` lists the same words in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import apsw

from storage import patterns
from storage.query import AnyWord, Phrase, Prefix, Range, Regexp, Scalar, Terms, Wildcard
from storage.words import words_of

_FIELD_BITS: Final = 16
"""A row's number is that of its document, shifted by these, and that of its field."""

_MATCHED: Final = 64
"""Words of one question to FTS5; more are looked up one by one."""

# FTS5 cuts at these alone, and puts ASCII in lower case: words have neither.
_NO_PART: Final = frozenset([*map(chr, range(0x21)), "\x7f", *map(chr, range(0x41, 0x5B))])
_PARTS: Final = "".join(chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum()).replace(
    "'", "''''"
)


def create(connection: apsw.Connection, number: int) -> None:
    """Make the index of a collection, unless it is there."""
    tokens = f"ascii tokenchars ''{_PARTS}''"
    connection.execute(
        f"CREATE VIRTUAL TABLE IF NOT EXISTS words_{number} USING fts5("
        f"words, content = '', contentless_delete = 1, tokenize = '{tokens}')"
    )
    connection.execute(
        f"CREATE VIRTUAL TABLE IF NOT EXISTS spelling_{number}"
        f" USING fts5vocab(words_{number}, instance)"
    )


def drop(connection: apsw.Connection, number: int) -> None:
    """Remove the index of a collection, if it has one."""
    for kind in ("spelling", "words"):
        connection.execute(f"DROP TABLE IF EXISTS {kind}_{number}")


class TextChanges:
    """Texts of one collection that a transaction puts in, changes and takes out."""

    def __init__(self) -> None:
        self._gone: list[tuple[int]] = []
        self._new: list[tuple[int, str]] = []

    def put(self, doc: int, field: int, texts: Sequence[str]) -> None:
        """A document has these texts in a field, and no others."""
        row = doc << _FIELD_BITS | field
        self._gone.append((row,))
        # Between two texts stands no word, so that no phrase reaches from one into the other.
        words = f" {field}: ".join(filter(None, (_written(field, text) for text in texts)))
        if words:
            self._new.append((row, words))

    def flush(self, connection: apsw.Connection, number: int) -> None:
        """Tell the file."""
        if self._gone:
            connection.executemany(f"DELETE FROM words_{number} WHERE rowid = ?", self._gone)
        if self._new:
            connection.executemany(
                f"INSERT INTO words_{number} (rowid, words) VALUES (?, ?)", self._new
            )


def _written(field: int, text: str) -> str:
    return " ".join(f"{field}:{word}" for word in words_of(text))


class WordTests:
    """Questions to the words of one field, as SQL that gives the numbers of documents.

    Args:
        number: Of the collection.
        field: The number of the field.
        arguments: Where those of the SQL are put, in order.
        any_of: Writes that a column holds one of some values.
    """

    def __init__(
        self,
        number: int,
        field: int,
        arguments: list[object],
        any_of: Callable[[str, tuple[Scalar, ...]], str],
    ) -> None:
        self._number = number
        self._head = f"{field}:"
        self._behind = f"{field};"  # what follows a colon
        self._arguments = arguments
        self._any_of = any_of

    def sql(self, query: AnyWord | Phrase) -> str | None:
        """The documents; None if there can be none."""
        if isinstance(query, Phrase):
            return self._matching([query.words], is_open=query.is_open)
        return _TESTS[type(query.test)](self, query.test)

    def _terms(self, test: Terms) -> str | None:
        words = [word for word in test.values if isinstance(word, str) and _is_word(word)]
        if len(words) <= _MATCHED:
            return self._matching([(word,) for word in words])
        terms = tuple(self._head + word for word in words)
        return self._spelt(self._any_of("term", terms))

    def _prefix(self, test: Prefix) -> str | None:
        return self._matching([(test.value,)], is_open=True) if _is_word(test.value) else None

    def _range(self, test: Range) -> str:
        given = ((">", test.gt), (">=", test.gte), ("<", test.lt), ("<=", test.lte))
        bounds = [(sign, str(bound)) for sign, bound in given if bound is not None]
        self._arguments += [self._head + bound for _, bound in bounds]
        tests = "".join(f"term {sign} ? AND " for sign, _ in bounds)
        return self._spelt(f"{tests}{self._within()}")

    def _wildcard(self, test: Wildcard) -> str:
        start = patterns.wildcard_start(test.pattern)
        return self._fitting(start, patterns.wildcard(test.pattern))

    def _regexp(self, test: Regexp) -> str:
        return self._fitting("", patterns.regexp(test.pattern))

    def _fitting(self, start: str, expression: str) -> str:
        self._arguments.append(self._head + start)
        within = self._within()
        self._arguments.append(expression)
        column = f"substr(term, {len(self._head) + 1})"
        return self._spelt(f"term >= ? AND {within} AND fits(?, {column})")

    def _within(self) -> str:
        """Words of the field, without what stands between its texts."""
        self._arguments += [self._head, self._behind]
        return "term > ? AND term < ?"

    def _spelt(self, condition: str) -> str:
        return f"SELECT doc >> {_FIELD_BITS} AS doc FROM spelling_{self._number} WHERE {condition}"

    def _matching(self, phrases: Sequence[Sequence[str]], *, is_open: bool = False) -> str | None:
        if not phrases:
            return None
        end = " *" if is_open else ""
        self._arguments.append(" OR ".join(f"{self._quoted(each)}{end}" for each in phrases))
        table = f"words_{self._number}"
        return f"SELECT rowid >> {_FIELD_BITS} AS doc FROM {table} WHERE {table} MATCH ?"

    def _quoted(self, words: Iterable[str]) -> str:
        phrase = " ".join(self._head + word for word in words)
        return '"' + phrase.replace('"', '""') + '"'


def _is_word(text: str) -> bool:
    """Whether FTS5 leaves the text as it is; no word has what it changes or cuts at."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(text) and _NO_PART.isdisjoint(text)


_TESTS: Final[dict[type, Callable[..., str | None]]] = {
    Terms: WordTests._terms,
    Prefix: WordTests._prefix,
    Range: WordTests._range,
    Wildcard: WordTests._wildcard,
    Regexp: WordTests._regexp,
}
