"""Which action a URL leads to, and what it holds."""

from __future__ import annotations

import pytest

from protocols.codec.route import RouteTable, decoded, normal, query_arguments
from tests.support.small_router import small_table

TABLE = RouteTable(small_table())


def leads_to(verb: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = TABLE.find(verb, normal(path))
    if match is None:
        return None
    return f"{match.action.controller}:{match.action.name}", match.args


class TestMatching:
    def test_literal_path(self) -> None:
        assert leads_to("GET", "/_now") == ("server:now", {})

    def test_root(self) -> None:
        assert leads_to("GET", "/") == ("server:info", {})

    def test_parameters_take_their_segments(self) -> None:
        assert leads_to("PUT", "/_/device-manager/airports/assets/CDG") == (
            "device-manager/asset:update",
            {"index": "airports", "_id": "CDG"},
        )

    def test_a_literal_segment_beats_a_parameter(self) -> None:
        assert leads_to("GET", "/i/c/_search") == (
            "document:search",
            {"index": "i", "collection": "c"},
        )
        assert leads_to("GET", "/users/_list") == ("security:getUser", {"_id": "_list"})

    def test_an_index_named_as_a_literal_is_reached_where_the_literal_leads_nowhere(self) -> None:
        assert leads_to("GET", "/users/c/d") == (
            "document:get",
            {"index": "users", "collection": "c", "_id": "d"},
        )

    def test_the_verb_counts_on_the_way_back_too(self) -> None:
        assert leads_to("POST", "/users/c/_search") == (
            "document:search",
            {"index": "users", "collection": "c"},
        )
        assert leads_to("POST", "/users/c") is None

    def test_head_finds_what_get_finds(self) -> None:
        assert leads_to("HEAD", "/_now") == leads_to("GET", "/_now")

    @pytest.mark.parametrize(
        "path", ["/nope", "/a/b/c/d", "/_/device-manager", "/_now/x", "/i//", ""]
    )
    def test_other_paths_lead_nowhere(self, path: str) -> None:
        assert leads_to("GET", path) is None

    def test_the_arguments_of_a_match_are_the_callers_own(self) -> None:
        first = TABLE.find("GET", "/_now")
        assert first is not None
        first.args["left"] = "behind"
        assert leads_to("GET", "/_now") == ("server:now", {})


class TestNormalPath:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("//_now", "/_now"),
            ("/_now/", "/_now"),
            ("/_now///", "/_now"),
            ("/", "/"),
            ("///", "/"),
            ("/a//b///c", "/a/b/c"),
        ],
    )
    def test_slashes(self, path: str, expected: str) -> None:
        assert normal(path) == expected


class TestPercentEscapes:
    @pytest.mark.parametrize(
        ("segment", "expected"),
        [
            ("plain", "plain"),
            ("a%20b", "a b"),
            ("a%2Fb", "a/b"),
            ("%C3%A9", "é"),
            ("a+b", "a+b"),
            ("%ZZ", "%ZZ"),
            ("100%", "100%"),
            ("%41%4", "%41%4"),
            ("%FF", "%FF"),
        ],
    )
    def test_decoded_or_kept_as_text(self, segment: str, expected: str) -> None:
        assert decoded(segment) == expected

    def test_an_escaped_slash_stays_within_its_segment(self) -> None:
        assert leads_to("GET", "/i/c/a%2Fb") == (
            "document:get",
            {"index": "i", "collection": "c", "_id": "a/b"},
        )

    def test_an_escape_hides_a_name_from_the_literal_routes(self) -> None:
        assert leads_to("GET", "/%75sers/_list") == ("collection:list", {"index": "users"})


class TestQueryString:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", {}),
            ("a=1&b=two", {"a": "1", "b": "two"}),
            ("silent", {"silent": ""}),
            ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
            ("a=x%20y+z", {"a": "x y z"}),
            ("ids=%5B%22a%22%5D", {"ids": '["a"]'}),
            ("a=b=c", {"a": "b=c"}),
            ("&&a=1&", {"a": "1"}),
            ("a=%ZZ", {"a": "%ZZ"}),
        ],
    )
    def test_arguments(self, query: str, expected: dict[str, object]) -> None:
        assert query_arguments(query) == expected
