"""ifVersion and If-Match as they are written, and what they let through."""

from __future__ import annotations

from typing import Any

import pytest

from router.envelope import Connection, Request
from router.guards import Condition, Tag, condition, etag
from tests.support.stores import refused

HERE = Connection("c1", "http")


def asked(if_version: Any = None, if_match: str | None = None) -> Condition | None:
    args = {} if if_version is None else {"ifVersion": if_version}
    request = Request(
        controller="document", action="update", connection=HERE, args=args, if_match=if_match
    )
    return condition(request)


class TestIfVersion:
    def test_nothing_asked_is_no_condition(self) -> None:
        assert asked() is None

    @pytest.mark.parametrize("given", [7, "7", '"7"', " 7 "])
    def test_a_bare_version(self, given: Any) -> None:
        assert asked(given) == Condition((Tag(7),))

    def test_a_version_of_one_incarnation(self) -> None:
        assert asked("7-00ff12ab34") == Condition((Tag(7, "00ff12ab34"),))

    @pytest.mark.parametrize(
        "given", ["", "-1", "x", "1.5", 1.5, -1, True, [1], {}, "7-", "7-X", "*", "1,2", "9" * 17]
    )
    def test_anything_else_is_refused(self, given: Any) -> None:
        with refused("api.assert.invalid_argument"):
            asked(given)

    def test_both_ways_at_once_are_refused(self) -> None:
        with refused("api.assert.mutually_exclusive"):
            asked(1, '"1"')


class TestIfMatch:
    """RFC 9110, 13.1.1 and 8.8.3."""

    @pytest.mark.parametrize(
        ("header", "tags"),
        [
            ('"7-00ff"', (Tag(7, "00ff"),)),
            ("7", (Tag(7),)),
            ('"7"', (Tag(7),)),
            ('"1-a", "2-b"', (Tag(1, "a"), Tag(2, "b"))),
            (', "1-a",, ', (Tag(1, "a"),)),
            ('W/"1-a"', ()),
            ('"of-another-server", "3"', (Tag(3),)),
            ('"a,b"', ()),
            ('"a,1", "2"', (Tag(2),)),
        ],
    )
    def test_lists_of_entity_tags(self, header: str, tags: tuple[Tag, ...]) -> None:
        assert asked(if_match=header) == Condition(tags, is_http=True)

    def test_a_star_is_any_document(self) -> None:
        assert asked(if_match=" * ") == Condition(None, is_http=True)

    @pytest.mark.parametrize(
        "header", ["", ",", "x", '"1', "1-A", '"1" "2"', '"1", *', "*, *", "a" * 9_000]
    )
    def test_anything_else_is_refused(self, header: str) -> None:
        with refused("api.assert.invalid_argument"):
            asked(if_match=header)

    def test_a_list_without_end_is_refused(self) -> None:
        with refused("api.assert.invalid_argument"):
            asked(if_match=", ".join(['"1"'] * 65))


def test_a_condition_holds_for_its_states_only() -> None:
    two = Condition((Tag(1), Tag(2, "ab")))
    assert two.holds(1, "whatever")
    assert two.holds(2, "ab")
    assert not two.holds(2, "cd")
    assert not two.holds(3, "ab")
    assert Condition(None).holds(9, "x")
    assert not Condition(()).holds(9, "x")


def test_an_entity_tag_is_read_back_as_the_state_it_names() -> None:
    assert asked(if_match=etag(5, "0a1b")) == Condition((Tag(5, "0a1b"),), is_http=True)
    assert asked(if_match=etag(5, "")) == Condition((Tag(5),), is_http=True)
