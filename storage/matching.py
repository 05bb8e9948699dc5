"""Queries on text fields, bound: what is asked of their words."""

from __future__ import annotations

from typing import Final

from storage.clauses import minimum_of
from storage.plan import Leaf
from storage.query import (
    AnyWord,
    Bool,
    Match,
    MatchAll,
    MatchNone,
    Phrase,
    Prefix,
    Query,
    Range,
    Regexp,
    Terms,
    Wildcard,
)
from storage.refusals import malformed, unsupported
from storage.words import words_of

MAX_WORDS: Final = 1_024
"""Words of one match (`indices.query.bool.max_clause_count`)."""


def on_words(leaf: Leaf, test: Terms | Range | Prefix | Wildcard | Regexp) -> Query:
    """The test of one value as a test of the field: of each word, if it is a text."""
    return AnyWord(leaf.path, test) if leaf.kind == "text" else test


def match_words(query: Match, leaf: Leaf) -> Query:
    """The match on a text field.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for too many words,
            `trivium.unsupported.feature` for another analyzer than the standard one.
    """
    if leaf.analyzer not in ("", "standard", "default"):
        raise unsupported(f'The analyzer "{leaf.analyzer}" of the field "{leaf.path}"')
    words = words_of(_text_of(query))
    if len(words) > MAX_WORDS:
        raise malformed(f"A match has at most {MAX_WORDS} words.")
    if not words:
        return MatchAll() if query.empty_matches else MatchNone()
    if query.how != "words":
        return _phrase(leaf.path, words, is_open=query.how == "phrase_prefix")
    tests = tuple(AnyWord(leaf.path, Terms(leaf.path, (word,))) for word in words)
    if query.needs_all:
        return Bool(must=tests)
    least = max(1, minimum_of(query.minimum, len(tests), False))
    return Bool(should=tests, minimum=least) if least <= len(tests) else MatchNone()


def _phrase(path: str, words: tuple[str, ...], *, is_open: bool) -> Query:
    if len(words) > 1:
        return Phrase(path, words, is_open)
    return AnyWord(path, Prefix(path, words[0]) if is_open else Terms(path, words))


def _text_of(query: Match) -> str:
    value = query.value
    return str(value).lower() if isinstance(value, bool) else str(value)
