"""Errors that an application raises and catches: the catalogue's, its own, and answered ones.

Also the one that says why a router can't start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from router.catalogue import CATALOGUE, Entry
from router.envelope import Json, JsonObject
from router.errors import RouterError

__all__ = ["AnsweredError", "Errors", "RouterError", "StartError"]

_ID: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")

# Domains below are the peer's and this router's own.
_FIRST_DOMAIN: Final = 0x40


class StartError(Exception):
    """The router can't start; the message is one line that says why and what to do."""


class AnsweredError(RouterError):
    """An error read back from the error object of an answer; `id` need not be catalogued."""

    def __init__(self, error: JsonObject) -> None:
        known = {"code", "id", "message", "props", "status"}
        code, status, props = error.get("code"), error.get("status"), error.get("props")
        self.id = str(error.get("id") or "core.fatal.unexpected_error")
        self.code = code if isinstance(code, int) else 0
        self.status = status if isinstance(status, int) else 500
        self.props = props if isinstance(props, list) else []
        self.message = str(error.get("message") or self.id)
        self.extra = {key: value for key, value in error.items() if key not in known}
        Exception.__init__(self, self.message)


class Errors:
    """The errors of an application, beside those of the catalogue.

    `app.errors.register("acme.fleet.grounded", 'Asset "%s" is grounded.', status=412)` once,
    then `raise app.errors.get("acme.fleet.grounded", asset_id)` in a pipe or action.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._own: dict[str, Entry] = {}
        self._domains: list[str] = []
        self._subdomains: list[str] = []

    def register(self, id: str, message: str, *, status: int = 400) -> str:
        """Name an error of the application; returns its id.

        Args:
            id: `domain.subdomain.name`, lower case; the domain must be the application's own.
            message: What people read; each `%s` takes the next value given to `get`.
            status: HTTP status, 400 to 599.

        Raises:
            RouterError: `plugin.runtime.already_started`.
            ValueError: The id is malformed, known already, or in a domain of the router.
        """
        self._check()
        if not _ID.fullmatch(id):
            raise ValueError(f'error id "{id}" is not of the form domain.subdomain.name')
        if id in self._own:
            raise ValueError(f'error "{id}" is registered twice')
        domain, subdomain, _ = id.split(".")
        if any(known.startswith(f"{domain}.") for known in CATALOGUE):
            raise ValueError(f'error "{id}": the domain "{domain}" belongs to the router')
        if not 400 <= status <= 599:
            raise ValueError(f'error "{id}": {status} is no status of an error')
        self._own[id] = Entry(self._code(domain, f"{domain}.{subdomain}"), status, message)
        return id

    def get(self, id: str, *props: Json) -> RouterError:
        """The error of that id, ready to be raised.

        Raises:
            KeyError: Neither the catalogue nor the application knows the id.
        """
        entry = self._own.get(id)
        if entry is None:
            return RouterError(id, *props)
        return AnsweredError(
            {
                "code": entry.code,
                "id": id,
                "message": entry.render(props),
                "props": list(props),
                "status": entry.status,
            }
        )

    def _code(self, domain: str, subdomain: str) -> int:
        for names, name in ((self._domains, domain), (self._subdomains, subdomain)):
            if name not in names:
                names.append(name)
        number = sum(known.startswith(f"{subdomain}.") for known in self._own) + 1
        domain_code = _FIRST_DOMAIN + self._domains.index(domain)
        return domain_code << 24 | self._subdomains.index(subdomain) << 16 | number
