"""Texts as words, as the standard analyzer has them: cut by Unicode's rules, in lower case."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import apsw.unicode

MAX_WORD: Final = 255
"""Characters of one word; a longer one is cut (Lucene, `StandardAnalyzer`)."""

# Within ASCII: letters and digits, joined by what stands between two of the same kind.
_ASCII: Final = re.compile(
    r"(?:[A-Za-z0-9_]|(?<=[A-Za-z])[.':](?=[A-Za-z])|(?<=[0-9])[.',;](?=[0-9]))+"
)
_UNDERSCORES: Final = re.compile(r"_+")
_LETTERS: Final = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl"))
_MARKS: Final = "\uff9e\uff9f"
"""Voicing marks of half width: letters by their category, but part of the one before."""
_TONES: Final = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
# Scripts without spaces between words (Line_Break=SA): what belongs together isn't cut at all.
_UNSPACED: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\uaa60-\uaadf]"
)


@functools.lru_cache(maxsize=4_096)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in their order.

    Source: Lucene, `StandardTokenizer` (Unicode Standard Annex 29) and `LowerCaseFilter`.
    """
    if text.isascii():
        found = (each[0] for each in _ASCII.finditer(text))
        return tuple(
            part.lower()
            for each in found
            if not _UNDERSCORES.fullmatch(each)
            for part in _cut(each)
        )
    return tuple(_lower(part) for each in _segments(text) for part in _cut(each))


def _segments(text: str) -> Iterator[str]:
    place, run = 0, ""
    while place < len(text):
        end = apsw.unicode.word_next_break(text, place)
        segment, place = text[place:end], end
        if _UNSPACED.match(segment):
            run += segment
            continue
        if run:
            yield run
            run = ""
        if _is_word(segment):
            yield segment
    if run:
        yield run


def _is_word(segment: str) -> bool:
    return any(map(_is_letter, segment)) or _is_emoji(segment)


def _is_letter(char: str) -> bool:
    if char in _MARKS:
        return False
    return (
        unicodedata.category(char) in _LETTERS or "\u24b6" <= char <= "\u24e9" or char == "\u05f3"
    )


def _is_emoji(segment: str) -> bool:
    if apsw.unicode.is_regional_indicator(segment[0]):
        return len(segment) > 1  # two of them are a flag
    if segment[0] in "#*":
        return "\u20e3" in segment
    return any(map(apsw.unicode.is_extended_pictographic, segment)) or segment[0] in _TONES


def _cut(word: str) -> Iterator[str]:
    return (word[at : at + MAX_WORD] for at in range(0, len(word), MAX_WORD))


def _lower(word: str) -> str:
    # Each character by itself: no final sigma, and none becomes two.
    return "".join("i" if char == "\u0130" else char.lower() for char in word)
