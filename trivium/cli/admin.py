"""`trivium admin create`: the first administrator, made while no router runs on the store."""

from __future__ import annotations

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Final

from access import standard
from access.register import make_register
from access.securities import Securities
from access.users import NewUser
from router.errors import RouterError
from router.settings import Settings
from storage.contract import Author, StoreOpenError
from trivium.stores import make_private, make_public

LEAST_CHARACTERS: Final = 8
"""NIST SP 800-63B, 3.1.1.2: of a password that a person chooses."""


class AdminError(Exception):
    """The administrator can't be created; the message is one line."""


def create_admin(username: str, password: str, settings: Settings) -> None:
    """Create the first administrator, and let nobody else do more than log in.

    Raises:
        AdminError: There is one already, the password is too short, or the store is in use.
    """
    if len(password) < LEAST_CHARACTERS:
        raise AdminError(f"the password needs {LEAST_CHARACTERS} characters at least")
    try:
        asyncio.run(_create(username, password, settings))
    except (RouterError, StoreOpenError, OSError) as error:
        raise AdminError(str(error)) from error


def read_password(file: str | None) -> str:
    """The first line of a file (`-`: of standard input), or what is typed on the terminal.

    Raises:
        AdminError: It can't be read, or was typed in two different ways.
    """
    try:
        if file is not None and file != "-":
            return _first_line(Path(file).read_text())
        if file == "-" or not sys.stdin.isatty():
            return _first_line(sys.stdin.readline())
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise AdminError("these were two different passwords")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise AdminError(f"the password can't be read: {error}") from error
    return password


def _first_line(text: str) -> str:
    return text.partition("\n")[0].removesuffix("\r")


async def _create(username: str, password: str, settings: Settings) -> None:
    private = make_private(settings)
    await private.open()
    register = make_register(private, make_public(settings), dict)
    try:
        await register.prepare()
        if register.directory.has_admin:
            raise AdminError("there is an administrator already")
        # Should this be cut short, nobody may do anything until it is done again.
        await Securities(register).restrict(Author())
        login = {"username": username, "password": password}
        admin = NewUser(username, {"profileIds": [standard.ADMIN]}, {"local": {**login}}, Author())
        await register.users.create(admin, as_first_admin=True)
    finally:
        register.close()
        await private.close()
