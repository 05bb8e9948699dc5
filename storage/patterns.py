"""Patterns that queries write: wildcards and regular expressions, matched in linear time."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final

import re2

from storage.refusals import malformed, unsupported

MAX_LENGTH: Final = 1_000
"""Characters of a pattern (`index.max_regex_length`)."""

_MAX_BYTES: Final = 8 * 2**20
"""What one compiled pattern may take; a larger one is refused when it is compiled."""

_WILD_PART: Final = re.compile(r"\\(?P<escaped>.)|(?P<wild>[*?])|(?P<plain>.)", re.DOTALL)

# Lucene, RegExp: what it reads otherwise than RE2 is translated or refused.
_LUCENE_ONLY: Final = frozenset('~&@#<>"')
_CLASSES: Final = frozenset("dDwW")
_SPACES: Final = {"s": r"[ \t\n\r]", "S": r"[^ \t\n\r]"}
_REGEXP_PART: Final = re.compile(
    r"(?P<escape>\\.?)"
    r"|(?P<set>\[\^?(?:\\.|[^\]\\])+\])"
    r"|(?P<count>\{[0-9]{1,4}(?:,[0-9]{0,4})?\}|[*+?])"
    r"|(?P<open>[(|])|(?P<close>\))"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_SET_PART: Final = re.compile(r"\\(?P<escaped>.)|(?P<plain>.)", re.DOTALL)


def wildcard(pattern: str) -> str:
    """The regular expression of a wildcard pattern: `*` for any characters, `?` for one."""
    _check_length(pattern)
    parts = [_wild(found) for found in _WILD_PART.finditer(pattern)]
    return "".join(parts)


def wildcard_start(pattern: str) -> str:
    """What every text begins with that the wildcard pattern fits."""
    start = ""
    for found in _WILD_PART.finditer(pattern):
        if found["wild"]:
            break
        start += found["escaped"] or found["plain"]
    return start


def is_plain(pattern: str) -> bool:
    """Whether the wildcard pattern fits one text alone: `wildcard_start` of it."""
    return not any(found["wild"] for found in _WILD_PART.finditer(pattern))


def regexp(pattern: str) -> str:
    """The same expression as RE2 reads it, for the part of Lucene's language that both share.

    Raises:
        RouterError: `trivium.unsupported.feature` for Lucene's own operators;
            `services.storage.unexpected_bad_request` for what is no expression.

    Source: Lucene, `RegExp`: always anchored, `.` is any character, `^` and `$` are themselves.
    """
    _check_length(pattern)
    translated, before, place = "", "open", 0
    while place < len(pattern):
        found = _REGEXP_PART.match(pattern, place)
        assert found is not None
        kind, text, place = str(found.lastgroup), found[0], found.end()
        if kind == "count" and before in ("count", "open"):
            raise unsupported(f'The repeated or misplaced "{text}" of a regular expression')
        translated += _TRANSLATED[kind](text)
        before = kind
    compiled(translated)
    return translated


@functools.lru_cache(maxsize=256)
def compiled(expression: str) -> Callable[[str], bool]:
    """Whether a text fits an expression from end to end.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` if RE2 can't have it.
    """
    options = re2.Options()
    options.dot_nl, options.log_errors, options.max_mem = True, False, _MAX_BYTES
    options.never_capture = True
    try:
        fullmatch = re2.compile(expression, options).fullmatch
    except (re2.error, UnicodeEncodeError):
        raise malformed("The pattern can't be read, or is too large.") from None
    return lambda text: fullmatch(text) is not None


def fits(expression: str, text: object) -> bool:
    """Whether a text fits an expression; for use within SQL."""
    return isinstance(text, str) and compiled(expression)(text)


def behind(start: str) -> str | None:
    """The lowest text that is above all that begin with `start`; None if there is none."""
    for place in range(len(start) - 1, -1, -1):
        code = ord(start[place])
        if code < 0x10FFFF:
            above = 0xE000 if code == 0xD7FF else code + 1  # texts hold no surrogates
            return start[:place] + chr(above)
    return None


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_LENGTH:
        raise malformed(f"A pattern has at most {MAX_LENGTH} characters.")


def _wild(found: re.Match[str]) -> str:
    if found["wild"]:
        return ".*" if found["wild"] == "*" else "."
    return _literal(found["escaped"] or found["plain"])


def _literal(text: str) -> str:
    return str(re2.escape(text))


def _escape(text: str) -> str:
    letter = text[1:]
    if not letter:
        raise malformed("A regular expression ends with a backslash.")
    if letter in _CLASSES:
        return text
    if letter in _SPACES:
        return _SPACES[letter]
    if letter.isascii() and letter.isalnum():
        raise unsupported(f'"{text}" in a regular expression')
    return _literal(letter)


def _set(text: str) -> str:
    body = text[1:-1]
    start = "[^" if body.startswith("^") else "["
    return start + "".join(map(_in_set, _SET_PART.finditer(body.removeprefix("^")))) + "]"


def _in_set(found: re.Match[str]) -> str:
    escaped, plain = found["escaped"], found["plain"]
    if escaped is None:
        if plain in '[&"':
            raise unsupported(f'"{plain}" in the set of a regular expression')
        return str(plain)
    if escaped in _CLASSES:
        return f"\\{escaped}"
    if escaped.isascii() and escaped.isalnum():
        raise unsupported(f'"\\{escaped}" in the set of a regular expression')
    return f"\\{escaped}" if escaped.isascii() else str(escaped)


def _plain(text: str) -> str:
    if text in _LUCENE_ONLY:
        raise unsupported(f"The operator {text} of a regular expression")
    if text in "[]{}":
        raise malformed(f"The regular expression has a {text} without its other half.")
    return "." if text == "." else _literal(text)


_TRANSLATED: Final[dict[str, Callable[[str], str]]] = {
    "escape": _escape,
    "set": _set,
    "count": str,
    "open": lambda text: "(?:" if text == "(" else text,
    "close": str,
    "plain": _plain,
}
