"""The commands `import` and `export` and their flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.options import (
    HOST,
    ApiKey,
    CaFile,
    Format,
    Password,
    Ssl,
    Username,
    refuse,
)


def import_(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON lines, or CSV with its columns in line 1."),
    ],
    index: Annotated[
        str | None, typer.Option("--index", "-i", help="Else as the file says.")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Without one, CSV rows become assets."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Of every asset, if no column says it.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if a line isn't fit.")
    ] = False,
    host: Annotated[str, typer.Option(envvar="KUZZLE_HOST")] = HOST,
    port: Annotated[int, typer.Option(envvar="KUZZLE_PORT")] = 7512,
    ssl: Ssl = False,
    ca_file: CaFile = None,
    username: Username = None,
    password: Password = None,
    api_key: ApiKey = None,
) -> None:
    """Import documents, or assets; refused lines are named, the others are in.

    A cut one goes on where it stopped, by the same command. What has no _id gets one.
    """
    from trivium.cli.load import load  # noqa: PLC0415
    from trivium.cli.reach import Reach, login_of  # noqa: PLC0415
    from trivium.imports.plans import Wanted  # noqa: PLC0415

    router = Reach(host, port, ssl, ca_file, login_of(api_key, username, password))
    raise typer.Exit(load(file, Wanted(index, collection, model), router, is_strict=strict))


def export(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    index: Annotated[str, typer.Argument(metavar="INDEX")],
    collection: Annotated[str, typer.Argument(metavar="COLLECTION")],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="To be made; else standard output.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="JSON, @file, or - for stdin; else every document.")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="Of the query: koncorde.")] = None,
    format: Annotated[
        Format | None, typer.Option(help="Else csv for a FILE.csv, and jsonl for others.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="Columns of CSV, by commas; else every mapped field.")
    ] = None,
    host: Annotated[str, typer.Option(envvar="KUZZLE_HOST")] = HOST,
    port: Annotated[int, typer.Option(envvar="KUZZLE_PORT")] = 7512,
    ssl: Ssl = False,
    ca_file: CaFile = None,
    username: Username = None,
    password: Password = None,
    api_key: ApiKey = None,
) -> None:
    """Write the documents of a collection, or those that a query finds, to a file."""
    from trivium.cli.call import BodyError, read_body  # noqa: PLC0415
    from trivium.cli.export import Selection, export  # noqa: PLC0415
    from trivium.cli.reach import Reach, login_of  # noqa: PLC0415

    try:
        found = read_body(query)
    except BodyError as error:
        raise refuse(str(error)) from None
    usual = Format.csv if file is not None and file.suffix == ".csv" else Format.jsonl
    wanted = Selection(index, collection, (format or usual).value, found, lang, fields)
    router = Reach(host, port, ssl, ca_file, login_of(api_key, username, password))
    raise typer.Exit(export(wanted, file, router))
