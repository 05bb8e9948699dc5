"""Guards of a write: at which versions of its document it may be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from router.errors import RouterError

if TYPE_CHECKING:
    from router.envelope import Json, Request

_TAGS_MAX: Final = 64
"""Entity tags of one If-Match header; a client that names more has lost count."""

# RFC 9110, 8.8.3: opaque-tag = DQUOTE *etagc DQUOTE; lists by commas, empty members allowed.
_MEMBER: Final = re.compile(r'(W/)?"([^\x00-\x20"\x7f]*)"')
_BARE: Final = re.compile(r"([0-9]{1,16})(?:-([0-9a-z]{1,40}))?")


class Tag(msgspec.Struct, frozen=True):
    """One state of a document: its version, and the incarnation (None: whichever) it is of."""

    version: int
    incarnation: str | None = None


class Condition(msgspec.Struct, frozen=True):
    """The states in which a document may be written; `tags` None: any, as long as it is there.

    `is_http` says that it came by If-Match, so that refusing it is 412 and not 409.
    """

    tags: tuple[Tag, ...] | None
    is_http: bool = False

    def holds(self, version: int, incarnation: str) -> bool:
        """Whether a document in this state may be written."""
        if self.tags is None:
            return True
        return any(
            tag.version == version and tag.incarnation in (None, incarnation) for tag in self.tags
        )


def condition(request: Request) -> Condition | None:
    """What `ifVersion`, or over HTTP the header If-Match, asks for; None if neither is there.

    Raises:
        RouterError: `api.assert.invalid_argument` for what is no version and no list of entity
            tags, `api.assert.mutually_exclusive` for both at once.

    Source: RFC 9110, 13.1.1.
    """
    given, header = request.args.get("ifVersion"), request.if_match
    if given is None:
        return None if header is None else _match(header)
    if header is not None:
        raise RouterError("api.assert.mutually_exclusive", "ifVersion", "If-Match")
    return Condition((_tag(given),))


def etag(version: int, incarnation: str) -> str:
    """The entity tag of a document: a strong one, as it names one content for ever."""
    return f'"{version}-{incarnation}"' if incarnation else f'"{version}"'


def _tag(given: Json) -> Tag:
    text = str(given) if type(given) is int else given
    found = _BARE.fullmatch(text.strip().strip('"')) if isinstance(text, str) else None
    if found is None:
        raise RouterError("api.assert.invalid_argument", "ifVersion", "a version of the document")
    return Tag(int(found[1]), found[2])


def _match(header: str) -> Condition:
    text = header.strip()
    if text == "*":
        return Condition(None, is_http=True)
    if _BARE.fullmatch(text):
        return Condition((_tag(text),), is_http=True)
    found = _MEMBER.findall(text)
    between = {part.strip() for part in _MEMBER.sub("\0", text).split(",")}
    if not found or len(found) > _TAGS_MAX or not between <= {"", "\0"}:
        raise RouterError("api.assert.invalid_argument", "If-Match", "* or a list of entity tags")
    # Weak tags never match here, nor do tags that this router can't have given out.
    ours = [tag for is_weak, tag in found if not is_weak and _BARE.fullmatch(tag)]
    return Condition(tuple(_tag(tag) for tag in ours), is_http=True)
