"""Topic names and topic filters: what is valid, what matches, which filter covers another."""

from __future__ import annotations

from typing import Final

MAX_TOPIC_BYTES: Final = 65_535
"""MQTT 5, 1.5.4: the longest UTF-8 string there is."""

_SHARE: Final = "$share/"
_LEVEL: Final = "+"
_REST: Final = "#"
_WILDCARDS: Final = frozenset({_LEVEL, _REST})


def has_wildcard(topic: str) -> bool:
    """Whether the text holds a wildcard character, in a valid place or not."""
    return "+" in topic or "#" in topic


def is_name(topic: str) -> bool:
    """Whether a message can be published on this topic: not empty, no wildcard, no NUL.

    Source: MQTT 5, 4.7.1 and 4.7.3.
    """
    return _is_text(topic) and not has_wildcard(topic)


def is_filter(topic: str) -> bool:
    """Whether this is a valid topic filter: `+` and `#` fill a level alone, `#` only the last.

    Source: MQTT 5, 4.7.1 and 4.7.3.
    """
    if not _is_text(topic):
        return False
    *parents, last = topic.split("/")
    return all(_is_level(level) for level in parents) and (last == "#" or _is_level(last))


def is_shared(topic: str) -> bool:
    """Whether the filter asks for a shared subscription, in a valid form or not."""
    return topic.startswith(_SHARE)


def is_shared_filter(topic: str) -> bool:
    """Whether this is `$share/<name>/<filter>` with a name that is not empty or a wildcard.

    Source: MQTT 5, 4.8.2.
    """
    name, _, rest = topic.removeprefix(_SHARE).partition("/")
    return is_shared(topic) and bool(name) and not has_wildcard(name) and is_filter(rest)


def shared_parts(topic: str) -> tuple[str, str]:
    """The name of the group and the filter of a shared subscription; an empty name for another.

    Args:
        topic: A valid filter, shared or not.
    """
    if not is_shared(topic):
        return "", topic
    name, _, rest = topic.removeprefix(_SHARE).partition("/")
    return name, rest


def matches(topic: str, topic_filter: str) -> bool:
    """Whether a message on this topic goes to whoever subscribed with this filter.

    Source: MQTT 5, 4.7.1; 4.7.2 for topics that begin with `$`.
    """
    return covers(topic_filter, topic)


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that matches the narrow filter matches the wide one.

    A topic name is a filter as well, one that only itself matches. Both are valid and not shared.
    """
    wides, narrows = wide.split("/"), narrow.split("/")
    if narrow.startswith("$") and wides[0] in _WILDCARDS:
        return False
    if wides[-1] == _REST:
        # `a/#` matches `a`, too.
        del wides[-1]
        narrows = narrows[: len(wides)]
    return len(wides) == len(narrows) and all(map(_covers, wides, narrows))


def _covers(wide: str, narrow: str) -> bool:
    return wide == narrow or (wide == _LEVEL and narrow != _REST)


def _is_text(topic: str) -> bool:
    if not topic or "\0" in topic:
        return False
    return len(topic) * 4 <= MAX_TOPIC_BYTES or len(topic.encode()) <= MAX_TOPIC_BYTES


def _is_level(level: str) -> bool:
    return level == "+" or not has_wildcard(level)
