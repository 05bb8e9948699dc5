"""JSON values as YAML text that people like to read; nothing of YAML that JSON hasn't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

from router.envelope import Json

# What YAML 1.1 and 1.2 read as nothing but this very text; all else is quoted as in JSON.
_PLAIN: Final = re.compile(r"[A-Za-z_/$][A-Za-z0-9_./$-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def yaml(value: Json) -> str:
    """The value as a YAML document."""
    if isinstance(value, dict | list) and value:
        return "".join(f"{line}\n" for line in _block(value))
    return f"{_scalar(value)}\n"


def _block(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item, indent="  ")
    elif isinstance(value, list):
        for item in value:
            lines = (
                _block(item) if isinstance(item, dict | list) and item else iter([_scalar(item)])
            )
            yield f"- {next(lines)}"
            yield from (f"  {line}" for line in lines)


def _entry(head: str, item: Json, *, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield head
        yield from (f"{indent}{line}" for line in _block(item))
    else:
        yield f"{head} {_scalar(item)}"


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return orjson.dumps(value).decode()
