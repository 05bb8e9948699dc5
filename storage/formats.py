"""How the numbers of aggregations are shown beside themselves: dates and booleans as text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from router.envelope import Json, JsonObject
from storage.dates import DEFAULT_FORMAT
from storage.fields import Value
from storage.plan import Leaf
from storage.refusals import unsupported
from storage.zones import local, read_zone

_PARTS: Final = re.compile(r"yyyy|uuuu|MM|dd|HH|mm|ss|SSS|'[^']*'|[^A-Za-z']")
_ISO: Final = ("strict_date_optional_time", "date_optional_time", "strict_date_time", "date_time")
_LETTERS: Final[dict[str, Callable[[datetime], str]]] = {
    "yyyy": lambda wall: f"{wall.year:04}",
    "uuuu": lambda wall: f"{wall.year:04}",
    "MM": lambda wall: f"{wall.month:02}",
    "dd": lambda wall: f"{wall.day:02}",
    "HH": lambda wall: f"{wall.hour:02}",
    "mm": lambda wall: f"{wall.minute:02}",
    "ss": lambda wall: f"{wall.second:02}",
    "SSS": lambda wall: f"{wall.microsecond // 1000:03}",
}


class KeyFormat(NamedTuple):
    """Shows a number as text; None where it is shown as itself alone."""

    show: Callable[[float], Json] | None

    def told(self, value: float | None, key: str) -> JsonObject:
        """The text under the key; nothing where there is no number, or no text for it."""
        return {} if self.show is None or value is None else {key: self.show(value)}


def key_format(leaf: Leaf | None, format: str = "", zone: str = "") -> KeyFormat:
    """How numbers of a field are shown.

    Raises:
        RouterError: `trivium.unsupported.feature` for a date format that can't be written.
    """
    if leaf is None or leaf.kind not in ("date", "boolean"):
        return KeyFormat(None)
    if leaf.kind == "boolean":
        return KeyFormat(lambda value: "true" if value else "false")
    name = (format or leaf.format or DEFAULT_FORMAT).partition("||")[0]
    if name == "epoch_millis":
        return KeyFormat(lambda value: str(int(value)))
    if name == "epoch_second":
        return KeyFormat(lambda value: str(int(value) // 1000))
    where = read_zone(zone)
    if name in _ISO:
        return KeyFormat(lambda value: _iso(int(value), where))
    parts = _PARTS.findall(name)
    if "".join(parts) != name:
        raise unsupported(f'The date format "{name}" of an aggregation')
    return KeyFormat(lambda value: _written(int(value), where, parts))


def address(text: str) -> str:
    """The IP address that the text of an index row stands for."""
    found = ipaddress.IPv6Address(bytes.fromhex(text))
    return str(found.ipv4_mapped or found)


def _written(ms: int, zone: tzinfo, parts: list[str]) -> str:
    try:
        wall = local(ms, zone)
    except OverflowError:  # no calendar has it
        return str(ms)
    return "".join(
        _LETTERS[part](wall) if part in _LETTERS else part.strip("'") or "'" for part in parts
    )


def _iso(ms: int, zone: tzinfo) -> str:
    try:
        wall = local(ms, zone)
    except OverflowError:  # no calendar has it
        return str(ms)
    shift = local(ms, zone) - local(ms, read_zone(""))
    minutes = int(shift.total_seconds() // 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    offset = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else "Z"
    return wall.isoformat(timespec="milliseconds") + offset


def key_of(leaf: Leaf | None, key: Value, shown: KeyFormat) -> JsonObject:
    """The key of a bucket of terms, as results tell it."""
    if not isinstance(key, (int, float)):
        text = str(key)
        return {"key": address(text) if leaf is not None and leaf.kind == "ip" else text}
    number = int(key) if isinstance(key, bool) else key
    return {"key": number, **shown.told(number, "key_as_string")}
