"""Topic names and topic filters: what is valid, what is a wildcard, what is shared."""

from __future__ import annotations

from typing import Final

MAX_TOPIC_BYTES: Final = 65_535
"""MQTT 5, 1.5.4: the longest UTF-8 string there is."""

_SHARE: Final = "$share/"


def has_wildcard(topic: str) -> bool:
    """Whether the text holds a wildcard character, in a valid place or not."""
    return "+" in topic or "#" in topic


def is_name(topic: str) -> bool:
    """Whether a message can be published on this topic: not empty, no wildcard, no NUL.

    Source: MQTT 5, 4.7.1 and 4.7.3.
    """
    return _is_text(topic) and not has_wildcard(topic)


def is_filter(topic: str) -> bool:
    """Whether this is a valid topic filter, a shared one included.

    `+` and `#` fill a level alone, `#` only the last. A shared filter is
    `$share/<name>/<filter>` with a name that is not empty and holds no wildcard.

    Source: MQTT 5, 4.7.1 and 4.8.2.
    """
    if not _is_text(topic):
        return False
    if is_shared(topic):
        name, _, topic = topic[len(_SHARE) :].partition("/")
        if not name or has_wildcard(name) or not topic:
            return False
    *parents, last = topic.split("/")
    return all(_is_level(level) for level in parents) and (last == "#" or _is_level(last))


def is_shared(topic: str) -> bool:
    """Whether the filter asks for a shared subscription. Source: MQTT 5, 4.8.2."""
    return topic.startswith(_SHARE)


def _is_text(topic: str) -> bool:
    if not topic or "\0" in topic:
        return False
    return len(topic) * 4 <= MAX_TOPIC_BYTES or len(topic.encode()) <= MAX_TOPIC_BYTES


def _is_level(level: str) -> bool:
    return level == "+" or not has_wildcard(level)
