"""The commands and their flags; each one's work is in a module of its own, loaded when needed."""

from __future__ import annotations

import gc
import sys
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from trivium.cli.options import HOST, CaFile, Ssl, Storage, Wire, refuse
from trivium.cli.transfers import export, import_
from trivium.version import VERSION

commands = typer.Typer(
    name="trivium",
    help="One request router for MQTT, WebSocket and HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit = typer.Typer(help="What was recorded of who did what.", no_args_is_help=True)
commands.add_typer(audit, name="audit")
admin = typer.Typer(help="Administrators.", no_args_is_help=True)
commands.add_typer(admin, name="admin")
keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)
commands.add_typer(keys, name="keys")
commands.command("import")(import_)
commands.command()(export)


class WordsFirst(TyperCommand):
    """A command whose words all stand before its flags, as Kourou has it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's own click
        """Note how many words stand in front, then parse as usual."""
        ctx.meta["words_in_front"] = len(list(takewhile(lambda it: not it.startswith("-"), args)))
        return super().parse_args(ctx, args)


def main() -> None:
    """Run the command line of this process."""
    if sys.argv[1:2] == ["serve"]:
        _hurry()
    commands()


def _hurry() -> None:
    # Typer makes every command before it runs one, with pydantic, which it loads for that. Nothing
    # that a start makes is garbage; `settle` has it collected again.
    gc.disable()
    commands.registered_groups = []
    commands.registered_commands = [
        each for each in commands.registered_commands if each.callback is serve
    ]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"trivium {VERSION}")
        raise typer.Exit


@commands.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """One request router for MQTT, WebSocket and HTTP."""


@commands.command()
def serve(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    app: Annotated[Path | None, typer.Option(help="Python file that makes an App.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    host: Annotated[str | None, typer.Option(help="Address of every listener.")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP and WebSocket.")] = None,
    mqtt_port: Annotated[int | None, typer.Option(help="MQTT.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded store.")] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="sqlite:FOLDER|opensearch:URL", help="Where documents are."),
    ] = None,
    auto_port: Annotated[bool, typer.Option(help="Take the next free ports.")] = False,
) -> None:
    """Serve until told to stop (Ctrl-C, SIGTERM)."""
    from trivium.cli.startup import quicken  # noqa: PLC0415

    quicken()
    from trivium.cli.serve import Flags, serve  # noqa: PLC0415
    from trivium.server import StartError  # noqa: PLC0415

    try:
        serve(app, Flags(config, host, port, mqtt_port, data, storage, auto_port))
    except StartError as error:
        raise refuse(str(error)) from None


@commands.command(cls=WordsFirst)
def call(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="CONTROLLER:ACTION [INDEX] [COLLECTION] [ID]", show_default=False),
    ],
    index: Annotated[str | None, typer.Option("--index", "-i")] = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The argument _id.")] = None,
    body: Annotated[str | None, typer.Option(help="JSON, @file, or - for stdin.")] = None,
    arg: Annotated[
        list[str] | None, typer.Option("--arg", "-a", metavar="NAME=VALUE", help="Repeatable.")
    ] = None,
    protocol: Annotated[Wire, typer.Option(envvar="KUZZLE_PROTOCOL")] = Wire.ws,
    host: Annotated[str, typer.Option(envvar="KUZZLE_HOST")] = HOST,
    port: Annotated[
        int | None,
        typer.Option(envvar="KUZZLE_PORT", help="7512; for mqtt 1883, with --ssl 8883."),
    ] = None,
    ssl: Ssl = False,
    ca_file: CaFile = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 30.0,
    display: Annotated[str, typer.Option(help="Dotted path of what to print.")] = "result",
    json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """Call one API action: words and exit codes are those of Kourou (0 done, 1 failed, 2 usage)."""
    from trivium.cli.call import Target, call  # noqa: PLC0415
    from trivium.cli.inference import Given, UsageError  # noqa: PLC0415

    target = Target(protocol.value, host, port, timeout, display, json, ssl, ca_file)
    try:
        if words[ctx.meta["words_in_front"] :]:
            raise UsageError(f"Unexpected argument: {words[ctx.meta['words_in_front']]}")
        code = call(words, Given(index, collection, id, body, arg or ()), target)
    except UsageError as error:
        raise refuse(str(error)) from None
    raise typer.Exit(code)


@commands.command()
def migrate(
    source: Annotated[str, typer.Argument(metavar="FROM", help="sqlite:FOLDER|opensearch:URL")],
    target: Annotated[str, typer.Argument(metavar="TO", help="sqlite:FOLDER|opensearch:URL")],
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with a migration that was cut.")] = False,
) -> None:
    """Copy a store into an empty one and compare them; stop the routers of both before."""
    from trivium.cli.migrate import MigrateError, migrate  # noqa: PLC0415

    try:
        code = migrate(source, target, config, is_resumed=resume)
    except MigrateError as error:
        raise refuse(str(error)) from None
    raise typer.Exit(code)


@admin.command("create")
def admin_create(
    username: Annotated[str, typer.Argument(help="To log in with; also the user's id.")],
    password_file: Annotated[
        str | None,
        typer.Option(help="Its first line is the password; - for stdin. Else it is asked for."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded store.")] = None,
    storage: Storage = None,
) -> None:
    """Create the first administrator; others may then do no more than log in."""
    from trivium.cli.admin import AdminError, create_admin, read_password  # noqa: PLC0415
    from trivium.cli.serve import Flags, read_settings  # noqa: PLC0415
    from trivium.server import StartError  # noqa: PLC0415

    try:
        settings = read_settings(Flags(config=config, data=data, storage=storage))
        create_admin(username, read_password(password_file), settings)
    except (AdminError, StartError) as error:
        raise refuse(str(error)) from None
    print(f"{username} is the administrator; anonymous users may log in, and nothing else")


@keys.command("rotate")
def keys_rotate(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded store.")] = None,
    storage: Storage = None,
) -> None:
    """Sign tokens with a new key from now on; old ones verify until their tokens end."""
    from access.keyring import KeyringError  # noqa: PLC0415
    from trivium.cli.keys import rotate  # noqa: PLC0415
    from trivium.cli.serve import Flags, read_settings  # noqa: PLC0415
    from trivium.server import StartError  # noqa: PLC0415

    try:
        keyring = rotate(read_settings(Flags(config=config, data=data, storage=storage)))
    except (KeyringError, StartError) as error:
        raise refuse(str(error)) from None
    print(f"key {keyring.newest.id} signs from now on, {len(keyring.keys)} keys verify")


@audit.command("verify")
def audit_verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="[NUMBER:]HASH", help="A head that the log has. Repeatable."),
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of the audit.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Name the first entry that was edited, removed or moved (exit code 1), or the head."""
    from trivium.cli.audit import AuditError, check, folder_of  # noqa: PLC0415

    try:
        code = check(folder_of(folder, config), head or [])
    except AuditError as error:
        raise refuse(str(error)) from None
    raise typer.Exit(code)


@audit.command("export")
def audit_export(
    since: Annotated[datetime | None, typer.Option("--from", help="In UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="In UTC.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of the audit.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Print entries as JSON lines, oldest first."""
    from trivium.cli.audit import AuditError, export, folder_of  # noqa: PLC0415

    try:
        code = export(folder_of(folder, config), since, until)
    except AuditError as error:
        raise refuse(str(error)) from None
    raise typer.Exit(code)


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To be made; must not exist.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded store.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Write documents, users, keys and audit to one file, while a router runs on them or not."""
    from trivium.cli.backup import BackupError, backup  # noqa: PLC0415

    try:
        print(backup(file, data, config))
    except BackupError as error:
        raise refuse(str(error)) from None


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made by trivium backup.")],
    data: Annotated[Path | None, typer.Option(help="Folder to make; must be empty.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Bring a backup back into an empty folder."""
    from trivium.cli.backup import BackupError, restore  # noqa: PLC0415

    try:
        print(restore(file, data, config))
    except BackupError as error:
        raise refuse(str(error)) from None


@commands.command()
def doctor(
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded store.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Say what is wrong with this installation, in plain words (exit code 1 if anything is)."""
    from trivium.cli.doctor import examine, report  # noqa: PLC0415

    raise typer.Exit(report(examine(config, data)))


settings_in_force = typer.Typer(
    help="The settings in force: file, environment, defaults.", no_args_is_help=True
)
commands.add_typer(settings_in_force, name="config")


@settings_in_force.command("show")
def config_show(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Print every setting as it is in force; passwords are left out."""
    from trivium.cli.configuration import ConfigurationError, shown  # noqa: PLC0415

    try:
        print(shown(config), end="")
    except ConfigurationError as error:
        raise refuse(str(error)) from None


@settings_in_force.command("check")
def config_check(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Say whether a router would start with these settings, and which one is wrong."""
    from trivium.cli.configuration import ConfigurationError, checked  # noqa: PLC0415

    try:
        print(checked(config))
    except ConfigurationError as error:
        raise refuse(str(error)) from None


@commands.command()
def settings() -> None:
    """Print a settings file with every setting, its default and its reason."""
    from router.settings import render  # noqa: PLC0415

    print(render(), end="")
