"""Where settings come from: a TOML file, the environment, flags; later ones win."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

Table = TypeVar("Table", bound=BaseModel)

PREFIX: Final = "TRIVIUM__"
"""What the names of environment variables start with that are settings."""

_SHOWN: Final = 60


class BadSettingError(Exception):
    """A setting that can't be used; the text is one line that names it, its source and the fix."""


class Given(Protocol):
    """One value as it was given; `str()` quotes it in one line, not too long.

    `source` is for the reader of an error: a file, a variable or a flag.
    """

    @property
    def source(self) -> str:
        """Where it was given."""

    def read(self, table: type[Table], name: str) -> Table:
        """A table that holds the value under that name.

        Raises:
            ValidationError: The table doesn't take it.
        """


class InFile(NamedTuple):
    """A value of a TOML file: its type must be the very one."""

    value: object
    source: str

    def __str__(self) -> str:
        return _short(json.dumps(self.value, default=str, ensure_ascii=False))

    def read(self, table: type[Table], name: str) -> Table:
        """See `Given`."""
        text = json.dumps({name: self.value}, default=str)
        return table.model_validate_json(text, strict=True)


class InEnvironment(NamedTuple):
    """A text that stands for a value of any type."""

    value: str
    source: str

    def __str__(self) -> str:
        return _short(repr(self.value))

    def read(self, table: type[Table], name: str) -> Table:
        """See `Given`."""
        return table.model_validate_strings({name: self.value})


class OnCommandLine(NamedTuple):
    """A value that the command line has read already."""

    value: object
    source: str = "flag"

    def __str__(self) -> str:
        return _short(repr(self.value))

    def read(self, table: type[Table], name: str) -> Table:
        """See `Given`."""
        return table.model_validate({name: self.value})


def from_file(path: Path, sections: Collection[str]) -> dict[str, Given]:
    """The values of a settings file, by `section.key`.

    Raises:
        BadSettingError: The file can't be read, isn't TOML, or holds something besides the
            tables that `sections` names.
    """
    try:
        tables = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise BadSettingError(f"settings file {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadSettingError(f"settings file {path} is not UTF-8: {error.reason}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadSettingError(f"settings file {path} is not TOML: {error}") from None
    found: dict[str, Given] = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise BadSettingError(f"{section} (file {path}): expected a table, [{section}]")
        if section not in sections:
            hint = meant(section, sections)
            raise BadSettingError(f"[{section}] (file {path}): there is no such table{hint}")
        for key, value in table.items():
            found[f"{section}.{key}"] = InFile(value, f"file {path}")
    return found


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """The values of the variables `TRIVIUM__SECTION__KEY`, by `section.key`."""
    return {
        name.removeprefix(PREFIX).lower().replace("__", "."): InEnvironment(
            value, f"environment {name}"
        )
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }


def from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    """The values of the command line, which already go by `section.key`."""
    return {key: OnCommandLine(value) for key, value in flags.items()}


def meant(word: str, known: Iterable[str]) -> str:
    """What to add to an error about an unknown word: the known one that is nearest, if any."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
