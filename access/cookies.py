"""The token in a browser's cookie: how it is read, and from whose pages it counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from router.errors import RouterError
from router.settings import Settings

NAME: Final = "authToken"

# What an SDK leaves after a logout.
_NONE: Final = ("", "null")

# RFC 6265, 4.1.1: cookie-octet, less what no token of ours has.
_VALUE: Final = re.compile(r"[A-Za-z0-9._=+/-]+")

_OWN_PAGES: Final = ("same-origin", "none")


class CookiePolicy:
    """Whether cookies count, and from which pages.

    A cookie is sent with whatever any page makes the browser ask for, so it counts only for
    pages of this very host and of the origins that `http.allow_origin` names one by one. That
    the cookie is SameSite=Strict keeps other sites out, not other hosts of the same site.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_on = settings.access.cookies
        named = {name.strip() for name in settings.http.allow_origin.split(",")}
        self._origins = named - {"*"}

    def token(self, headers: Mapping[str, str]) -> str | None:
        """The token in the cookies of a request; None without one.

        Args:
            headers: Names in lower case.

        Raises:
            RouterError: `security.cookie.invalid`; `security.cookie.unsupported` if they are
                off; `trivium.origin.refused` for a page that the cookie doesn't count for.
        """
        text = headers.get("cookie", "")
        if NAME not in text:
            return None
        found = _values(text) - set(_NONE)
        if not found:
            return None
        if not self.is_on:
            raise RouterError("security.cookie.unsupported")
        if len(found) > 1 or _VALUE.fullmatch(value := found.pop()) is None:
            raise RouterError("security.cookie.invalid")
        self._check_page(headers)
        return value

    def _check_page(self, headers: Mapping[str, str]) -> None:
        origin = headers.get("origin")
        if origin is None:
            # Browsers send no Origin with the GET of an image or a link; this they do send
            # (Fetch Metadata, 2.4).
            if headers.get("sec-fetch-site", "none") in _OWN_PAGES:
                return
            origin = "another page"
        elif origin in self._origins or _host(origin) == _host("//" + headers.get("host", "")):
            return
        raise RouterError(
            "trivium.origin.refused",
            f"Refused: the cookie with the token does not count for {origin}; "
            "http.allow_origin has to name the origins of other hosts that may use it.",
        )


def written(token: str, expires_at_ms: float, *, is_secure: bool) -> str:
    """The `Set-Cookie` that gives a browser its token until then."""
    return _cookie(token, _date(expires_at_ms), is_secure=is_secure)


def erased(*, is_secure: bool) -> str:
    """The `Set-Cookie` that takes it away."""
    return _cookie("null", _date(0), is_secure=is_secure)


def _cookie(value: str, expires: str, *, is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    return f"{NAME}={value}; Path=/; Expires={expires}; HttpOnly; SameSite=Strict{secure}"


def _values(text: str) -> set[str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {value.strip() for name, _, value in pairs if name.strip() == NAME}


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


# Browsers keep a cookie for 400 days at most; dates beyond the year 9999 can't be written.
_LATEST_S: Final = datetime(9_999, 1, 1, tzinfo=UTC).timestamp()


def _date(ms: float) -> str:
    return format_datetime(datetime.fromtimestamp(min(ms / 1_000, _LATEST_S), UTC), usegmt=True)
