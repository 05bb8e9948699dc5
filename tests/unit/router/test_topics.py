"""Topic names and filters. MQTT 5, 4.7 and 4.8.2."""

from __future__ import annotations

import pytest

from router import topics


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


@pytest.mark.parametrize(
    ("topic", "topic_filter"),
    [
        ("a", "a"),
        ("a/b", "a/+"),
        ("a/", "a/+"),
        ("/a", "+/a"),
        ("/a", "/#"),
        ("a", "#"),
        ("a/b/c", "#"),
        ("a", "a/#"),
        ("a/b/c", "a/#"),
        ("a/b/c", "a/+/c"),
        ("$SYS/a", "$SYS/#"),
        ("$SYS/a", "$SYS/+"),
        ("a/$b", "a/+"),
    ],
)
def test_matching(topic: str, topic_filter: str) -> None:
    assert topics.matches(topic, topic_filter)


@pytest.mark.parametrize(
    ("topic", "topic_filter"),
    [
        ("a", "A"),
        ("a", "/a"),
        ("a", "a/"),
        ("a", "a/+"),
        ("a/b", "+"),
        ("a/b/c", "a/+"),
        ("ab", "a/#"),
        ("$SYS/a", "#"),
        ("$SYS", "+"),
        ("$SYS/a", "+/a"),
        ("$SYS/a", "+/#"),
    ],
)
def test_not_matching(topic: str, topic_filter: str) -> None:
    assert not topics.matches(topic, topic_filter)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [("#", "+"), ("#", "a/#"), ("a/#", "a/+/b"), ("+/b", "+/b"), ("+/#", "a/#"), ("a/+", "a/b")],
)
def test_covering(wide: str, narrow: str) -> None:
    assert topics.covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [("a/+", "a/#"), ("a", "+"), ("a/b", "a/+"), ("+/a", "#"), ("#", "$SYS/#"), ("a/+/#", "a/#")],
)
def test_not_covering(wide: str, narrow: str) -> None:
    assert not topics.covers(wide, narrow)


@pytest.mark.parametrize(
    ("topic", "parts"),
    [("a/b", ("", "a/b")), ("$share/g/a/b", ("g", "a/b")), ("$share/g//", ("g", "/"))],
)
def test_the_parts_of_a_shared_filter(topic: str, parts: tuple[str, str]) -> None:
    assert topics.shared_parts(topic) == parts
