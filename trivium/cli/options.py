"""Flags that several commands have, and how all of them refuse."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

USAGE: Final = 2
HOST: Final = "127.0.0.1"

Storage = Annotated[
    str | None,
    typer.Option(metavar="sqlite:FOLDER|opensearch:URL", help="Where documents are."),
]


class Wire(StrEnum):
    """How a command reaches the router."""

    ws = "ws"
    http = "http"
    mqtt = "mqtt"


Ssl = Annotated[bool, typer.Option("--ssl", envvar="KUZZLE_SSL", help="Speak TLS.")]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", help="CAs to trust (PEM); else the system's."),
]


Username = Annotated[str | None, typer.Option(envvar="KUZZLE_USERNAME", help="To log in.")]
Password = Annotated[str | None, typer.Option(envvar="KUZZLE_PASSWORD", help="To log in.")]
ApiKey = Annotated[str | None, typer.Option(envvar="KUZZLE_API_KEY", help="Instead of a login.")]


class Format(StrEnum):
    """What an export is written as."""

    jsonl = "jsonl"
    csv = "csv"


def refuse(message: str) -> typer.Exit:
    """What to raise when a command can't be carried out: one line, exit code 2."""
    print(f"trivium: {' '.join(message.split())}", file=sys.stderr)
    return typer.Exit(USAGE)
