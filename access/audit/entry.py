"""One entry of the audit, and how entries are chained: bytes <-> values, no files."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["allowed", "refused", "failed"]

GENESIS: Final = "0" * 64
"""Stands for the hash of the entry before the first one."""

MAX_TEXT: Final = 512
"""Longest text of an entry, in characters: ids of documents fit, floods don't."""

_SEAL: Final = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


class Anchor(msgspec.Struct, frozen=True):
    """An entry by number and hash; what stays of those that were pruned."""

    hash: str
    seq: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who did what to what, when, from where, and how it was answered.

    The fields stand in alphabetical order, so that their JSON is canonical: sorted keys, no
    spaces, UTF-8. None of them ever holds a body, an argument or a token.

    Attributes:
        at: Milliseconds since 1970, when it was answered; never less than the entry before.
        by: How the user was known: `none`, `token`, `apiKey`, `certificate`, `connection`
            (logged in when it connected), `application`.
        kuid: Id of the user; None where the token told nothing.
        error: Id of the error it was answered with.
        anchor: Of the router's own entry `trivium:pruned`.
        count: Of the router's own entries (`trivium:lost`): how many. Of a subscription that was
            refused: to how many topics in one packet, if to more than the one that is named.
        seq, prev: Its number in the chain, and the hash of the entry before.
    """

    action: str
    address: str
    anchor: Anchor | None = None
    at: int
    by: str
    client: str
    collection: str | None
    connection: str
    controller: str
    count: int | None = None
    error: str | None
    id: str | None
    index: str | None
    kuid: str | None
    outcome: Outcome
    prev: str = ""
    requestId: str  # noqa: N815 - as it is called on the wires
    seq: int = 0
    status: int
    wire: str


class Head(NamedTuple):
    """The last entry of a chain: its number, hash and time (0, `GENESIS`, 0 without any)."""

    seq: int
    hash: str
    at: int

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


EMPTY: Final = Head(0, GENESIS, 0)


class Sealed(NamedTuple):
    """A line that says of itself which hash it has, and the hash that it really has."""

    entry: Entry
    claimed: str
    hash: str


def own(action: str, *, at: int, anchor: Anchor | None = None, count: int | None = None) -> Entry:
    """An entry of the router itself, `trivium:<action>`."""
    return Entry(
        action=action,
        address="",
        anchor=anchor,
        at=at,
        by="application",
        client="",
        collection=None,
        connection="",
        controller="trivium",
        count=count,
        error=None,
        id=None,
        index=None,
        kuid=None,
        outcome="allowed",
        requestId="",
        status=200,
        wire="internal",
    )


def text(value: object) -> str | None:
    """A text as entries hold it: not too long, and only what UTF-8 can say; None for no text."""
    if not isinstance(value, str):
        return None
    if len(value) > MAX_TEXT:
        value = value[: MAX_TEXT - 1] + "…"
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def seal(entry: Entry, head: Head) -> tuple[bytes, Head]:
    """The line of an entry that comes after `head`, and the head that it makes."""
    at = max(entry.at, head.at)
    entry = msgspec.structs.replace(entry, at=at, seq=head.seq + 1, prev=head.hash)
    body = msgspec.json.encode(entry)
    digest = sha256(body).hexdigest()
    line = b'%b,"hash":"%b"}\n' % (body[:-1], digest.encode())
    return line, Head(entry.seq, digest, at)


def unseal(line: bytes) -> Sealed | None:
    """What a line holds, None if it isn't an entry; whether it is true is for the caller."""
    found = _SEAL.fullmatch(line.removesuffix(b"\n"))
    if found is None:
        return None
    body = found[1] + b"}"
    try:
        entry = msgspec.json.decode(body, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Sealed(entry, found[2].decode(), sha256(body).hexdigest())
