"""Topic names and filters. MQTT 5, 4.7 and 4.8.2."""

from __future__ import annotations

import pytest

from protocols.codec import topics


@pytest.mark.parametrize("topic", ["a", "/", "a/b", "/a", "a//b", " ", "$SYS/x", "é", "x" * 65_535])
def test_names(topic: str) -> None:
    assert topics.is_name(topic)
    assert topics.is_filter(topic)


@pytest.mark.parametrize("topic", ["", "a+", "+", "a/#", "#", "a\0b"])
def test_no_names(topic: str) -> None:
    assert not topics.is_name(topic)


def test_length_is_counted_in_bytes() -> None:
    assert topics.is_name("é" * 32_767)
    assert not topics.is_name("é" * 32_768)
    assert not topics.is_filter("x" * 65_536)


@pytest.mark.parametrize("topic", ["#", "+", "a/#", "/#", "+/+", "a/+/b", "/+", "+/#", "+/"])
def test_filters(topic: str) -> None:
    assert topics.is_filter(topic)
    assert topics.has_wildcard(topic)


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "a\0"])
def test_no_filters(topic: str) -> None:
    assert not topics.is_filter(topic)


@pytest.mark.parametrize("topic", ["$share/g/a", "$share/g//", "$share/g/#", "$share/g/+/b"])
def test_shared_filters(topic: str) -> None:
    assert topics.is_shared(topic)
    assert topics.is_shared_filter(topic)


@pytest.mark.parametrize(
    "topic", ["$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g#/a", "a/b"]
)
def test_no_shared_filters(topic: str) -> None:
    assert not topics.is_shared_filter(topic)


def test_other_dollar_topics_are_not_shared() -> None:
    assert not topics.is_shared("$shared/g/a")
    assert not topics.is_shared("share/g/a")
