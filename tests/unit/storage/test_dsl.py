"""Search bodies of the Elasticsearch language: what is read, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from storage.clauses import _FOREIGN, MAX_CLAUSES, MAX_DEPTH, MAX_TERMS
from storage.dsl import MAX_SORT_KEYS, read_query, read_search
from storage.query import (
    Bool,
    Exists,
    GeoDistance,
    Ids,
    MatchAll,
    MatchNone,
    Range,
    Search,
    Sort,
    Terms,
)
from tests.support.stores import refused

MALFORMED = "services.storage.unexpected_bad_request"


class TestClauses:
    @pytest.mark.parametrize(
        ("query", "tree"),
        [
            ({}, MatchAll()),
            (None, MatchAll()),
            ({"match_all": {"boost": 2, "_name": "x"}}, MatchAll()),
            ({"match_none": {}}, MatchNone()),
            ({"ids": {"values": ["a", 1]}}, Ids(("a", "1"))),
            ({"ids": {"values": "a"}}, Ids(("a",))),
            ({"ids": {}}, Ids(())),
            ({"term": {"f": 1}}, Terms("f", (1,))),
            ({"term": {"f": {"value": "x", "boost": 2}}}, Terms("f", ("x",))),
            ({"term": {"f": {"value": 1, "case_insensitive": False}}}, Terms("f", (1,))),
            ({"terms": {"f": [1, "x", True], "boost": 1}}, Terms("f", (1, "x", True))),
            ({"range": {"f": {"gt": 1, "lte": None, "boost": 2}}}, Range("f", gt=1)),
            (
                {"range": {"f": {"gte": "1970", "lt": None, "format": "yyyy"}}},
                Range("f", gte=0),
            ),
            ({"exists": {"field": "f"}}, Exists("f")),
            ({"constant_score": {"filter": {"term": {"f": 1}}, "boost": 1}}, Terms("f", (1,))),
            (
                {"geo_distance": {"distance": "1km", "distance_type": "arc", "f": "1,2"}},
                GeoDistance("f", 1.0, 2.0, 1_000.0),
            ),
            (
                {
                    "geo_distance": {
                        "distance": 2,
                        "unit": "km",
                        "ignore_unmapped": False,
                        "f": "1,2",
                    }
                },
                GeoDistance("f", 1.0, 2.0, 2_000.0),
            ),
            ({"bool": {}}, Bool()),
            ({"bool": {"must": None, "should": []}}, Bool()),
            (
                {"bool": {"must": {"match_all": {}}, "filter": [{"term": {"f": 1}}]}},
                Bool(must=(MatchAll(), Terms("f", (1,)))),
            ),
            ({"bool": {"must_not": [{}]}}, Bool(must_not=(MatchAll(),))),
        ],
    )
    def test_a_clause_is_read(self, query: Any, tree: Any) -> None:
        assert read_query(query) == tree

    @pytest.mark.parametrize(
        ("asked", "minimum"),
        [
            (None, 1),
            (0, 0),
            (2, 2),
            (-1, 3),
            (-9, 0),
            ("3", 3),
            ("-1", 3),
            ("50%", 2),
            ("70%", 2),
            ("-30%", 3),
            ("100%", 4),
            (9, 9),
        ],
    )
    def test_so_many_should_match(self, asked: Any, minimum: int) -> None:
        content: Any = {"should": [{}] * 4, "minimum_should_match": asked}
        tree = read_query({"bool": content})
        assert isinstance(tree, Bool)
        assert tree.minimum == minimum

    def test_should_is_optional_beside_must(self) -> None:
        for key in ("must", "filter"):
            tree = read_query({"bool": {"should": {}, key: {}}})
            assert isinstance(tree, Bool)
            assert tree.minimum == 0
        tree = read_query({"bool": {"should": {}, "must_not": {"match_none": {}}}})
        assert isinstance(tree, Bool)
        assert tree.minimum == 1

    @pytest.mark.parametrize(
        "query",
        [
            [],
            "x",
            1,
            {"term": []},
            {"term": {}},
            {"term": {"f": 1, "g": 2}},
            {"term": {"f": None}},
            {"term": {"f": [1]}},
            {"term": {"f": {}}},
            {"term": {"f": {"value": 1, "x": 2}}},
            {"term": {"f": 1}, "match_all": {}},
            {"terms": {"f": 1}},
            {"terms": {"f": [None]}},
            {"terms": {"f": [[1]]}},
            {"range": {"f": 1}},
            {"range": {"f": {"from": 1}}},
            {"range": {"f": {"gt": {}}}},
            {"range": {"f": {"gt": "x", "format": "yyyy"}}},
            {"exists": {}},
            {"exists": {"field": ""}},
            {"exists": {"field": 1}},
            {"exists": {"field": "f", "g": 1}},
            {"ids": {"values": [None]}},
            {"match_all": {"x": 1}},
            {"match_none": []},
            {"constant_score": {}},
            {"bool": {"must": 1}},
            {"bool": {"musts": {}}},
            {"geo_distance": {"distance": "1km"}},
            {"geo_distance": {"distance": "1km", "f": "1,2", "g": "1,2"}},
            {"geo_distance": {"distance": "far", "f": "1,2"}},
            {"geo_distance": {"distance": 1, "unit": 1, "f": "1,2"}},
            {"geo_distance": {"distance": "1km", "f": "no!"}},
        ],
    )
    def test_what_is_malformed_is_told(self, query: Any) -> None:
        with refused(MALFORMED):
            read_query(query)

    @pytest.mark.parametrize("keyword", ["equals", "and", "terme", ""])
    def test_an_unknown_keyword_is_named(self, keyword: str) -> None:
        with refused("services.storage.unknown_query_keyword", keyword):
            read_query({"bool": {"must": {keyword: {}}}})

    @pytest.mark.parametrize("keyword", sorted(_FOREIGN))
    def test_the_peers_other_clauses_are_named(self, keyword: str) -> None:
        with refused("trivium.unsupported.feature", f'The query clause "{keyword}"'):
            read_query({keyword: {}})

    @pytest.mark.parametrize(
        "query",
        [
            {"term": {"f": {"value": "x", "case_insensitive": True}}},
            {"terms": {"f": {"index": "i", "id": "1", "path": "p"}}},
            {"range": {"f": {"gt": "2026||/d", "format": "yyyy"}}},
            {"prefix": {"f": {"value": "x", "case_insensitive": True}}},
            {"regexp": {"f": {"value": "x", "flags": "NONE"}}},
            {"wildcard": {"f": {"value": "x", "rewrite": "top_terms_2"}}},
            {"regexp": {"f": "a~b"}},
            {"match": {"f": {"query": "x", "fuzziness": "AUTO"}}},
            {"match": {"f": {"query": "x", "analyzer": "simple"}}},
            {"match_phrase": {"f": {"query": "x", "slop": 2}}},
            {"multi_match": {"query": "x", "type": "cross_fields"}},
            {"regexp": {"f": "<1-9>"}},
            {"regexp": {"f": "a+?"}},
            {"regexp": {"f": "\\n"}},
            {"geo_polygon": {"f": {"points": []}, "ignore_unmapped": True}},
            {"range": {"f": {"gt": 1, "relation": "within"}}},
            {"range": {"f": {"gt": 1, "format": "basic_date"}}},
            {"geo_distance": {"distance": "1km", "f": "1,2", "ignore_unmapped": True}},
            {"bool": {"minimum_should_match": "2<75%"}},
            {"bool": {"minimum_should_match": True}},
            {"bool": {"minimum_should_match": 1.5}},
        ],
    )
    def test_options_that_would_be_ignored_are_named(self, query: Any) -> None:
        with refused("trivium.unsupported.feature"):
            read_query(query)


class TestLimits:
    def nested(self, depth: int) -> Any:
        query: Any = {"match_all": {}}
        for _ in range(depth - 1):
            query = {"bool": {"must": query}}
        return query

    def test_a_query_is_so_deep_at_most(self) -> None:
        read_query(self.nested(MAX_DEPTH))
        for depth in (MAX_DEPTH + 1, 20_000):
            with refused(MALFORMED):
                read_query(self.nested(depth))

    def test_a_body_is_so_deep_at_most(self) -> None:
        with refused(MALFORMED):
            read_search({"query": self.nested(20_000)})
        lists: Any = []
        for _ in range(20_000):
            lists = [lists]
        with refused(MALFORMED):
            read_search({"sort": lists})

    def test_a_query_has_so_many_terms_at_most(self) -> None:
        half: Any = {"terms": {"f": list(range(MAX_TERMS // 2))}}
        read_query({"bool": {"must": [half, half]}})
        for more in ({"term": {"f": 1}}, {"ids": {"values": ["a"]}}, {"terms": {"f": [1]}}):
            with refused(MALFORMED):
                read_query({"bool": {"must": [half, half, more]}})

    def test_a_query_has_so_many_clauses_at_most(self) -> None:
        read_query({"bool": {"must": [{}] * (MAX_CLAUSES - 1)}})
        with refused(MALFORMED):
            read_query({"bool": {"must": [{}] * MAX_CLAUSES}})

    def test_a_search_has_so_many_sort_keys_at_most(self) -> None:
        read_search({"sort": ["f"] * MAX_SORT_KEYS})
        with refused(MALFORMED):
            read_search({"sort": ["f"] * (MAX_SORT_KEYS + 1)})


class TestSearch:
    def test_nothing_asks_for_everything(self) -> None:
        assert read_search(None) == read_search({}) == Search()

    def test_the_requests_page_goes_before_the_bodys(self) -> None:
        body: Any = {"from": 5, "size": 20}
        search = read_search(body)
        assert (search.offset, search.size) == (5, 20)
        search = read_search(body, offset=1, size=0)
        assert (search.offset, search.size) == (1, 0)

    @pytest.mark.parametrize("value", [-1, 1.5, "1", True, None, 2**31])
    def test_a_page_is_counted_in_whole_numbers(self, value: Any) -> None:
        for key in ("from", "size"):
            with refused(MALFORMED):
                read_search({key: value})
        if value == -1:
            with refused(MALFORMED):
                read_search({}, size=-1)

    @pytest.mark.parametrize(
        ("sort", "keys"),
        [
            ({}, ()),
            ([], ()),
            (None, ()),
            ("f", (Sort("f"),)),
            (["f", {"g": "desc"}], (Sort("f"), Sort("g", True))),
            ({"f": {}}, (Sort("f"),)),
            ({"f": "asc", "g": {"order": "desc"}}, (Sort("f"), Sort("g", True))),
            ([{"f": {"missing": "_first", "mode": "min"}}], (Sort("f", False, True),)),
            ([{"f": {"order": "desc", "mode": "max"}}], (Sort("f", True),)),
            ([{"f": {"unmapped_type": "long"}}], (Sort("f", unmapped=True),)),
            (["_score", {"_doc": "desc"}, "_id"], (Sort("_id"),)),
        ],
    )
    def test_sort_keys_are_read(self, sort: Any, keys: Any) -> None:
        assert read_search({"sort": sort}).sort == keys

    @pytest.mark.parametrize("sort", [1, [1], {"f": 1}, {"f": "up"}, {"f": {"order": "up"}}])
    def test_malformed_sort_keys_are_told(self, sort: Any) -> None:
        with refused(MALFORMED):
            read_search({"sort": sort})

    @pytest.mark.parametrize(
        "sort",
        [
            "_script",
            {"_geo_distance": {"place": "1,2"}},
            {"f": {"nested": {"path": "p"}}},
            {"f": {"missing": 5}},
            {"f": {"mode": "max"}},
            {"f": {"order": "desc", "mode": "avg"}},
        ],
    )
    def test_sorting_that_is_missing_is_named(self, sort: Any) -> None:
        with refused("trivium.unsupported.feature"):
            read_search({"sort": sort})

    @pytest.mark.parametrize(
        ("body", "includes", "excludes"),
        [
            ({"_source": True}, None, ()),
            ({"_source": None}, None, ()),
            ({"_source": False}, (), ()),
            ({"_source": []}, None, ()),
            ({"_source": "a.*"}, ("a.*",), ()),
            ({"_source": ["a", "b"]}, ("a", "b"), ()),
            ({"_source": {"includes": "a", "excludes": ["b"]}}, ("a",), ("b",)),
            ({"_source": {"include": ["a"], "exclude": "b"}}, ("a",), ("b",)),
            ({"_source_includes": ["a"], "_source_excludes": "b"}, ("a",), ("b",)),
        ],
    )
    def test_source_filters_are_read(self, body: Any, includes: Any, excludes: Any) -> None:
        search = read_search(body)
        assert (search.source_includes, search.source_excludes) == (includes, excludes)

    @pytest.mark.parametrize("source", [1, [1], {"a": 1}, {"includes": 1}])
    def test_malformed_source_filters_are_told(self, source: Any) -> None:
        with refused(MALFORMED):
            read_search({"_source": source})

    @pytest.mark.parametrize("key", ["equals", "track_total_hits", "filter", ""])
    def test_a_root_key_that_no_search_has_is_named(self, key: str) -> None:
        with refused("services.storage.invalid_search_query", key):
            read_search({key: 1})

    @pytest.mark.parametrize(
        "key",
        [
            *("collapse", "explain", "fields", "highlight"),
            *("search_timeout", "suggest"),
        ],
    )
    def test_the_peers_other_root_keys_are_named(self, key: str) -> None:
        assert read_search({key: None}) == read_search({key: {}}) == Search()
        with refused("trivium.unsupported.feature", f'"{key}" of a search'):
            read_search({key: {"a": 1}})

    def test_a_name_changes_nothing(self) -> None:
        assert read_search({"_name": "x"}) == Search()

    def test_a_script_may_not_bring_its_code(self) -> None:
        for key in ("script", "_script"):
            with refused("services.storage.invalid_query_keyword", f"{key}.source"):
                read_search({"sort": [{"x": {key: {"id": "a", "source": "1"}}}]})
        with refused("trivium.unsupported.feature"):
            read_search({"sort": {"_script": {"id": "a", "params": {}}}})

    def test_koncorde_is_to_come(self) -> None:
        assert read_search({}, lang="elasticsearch") == Search()
        with refused("trivium.unsupported.feature"):
            read_search({}, lang="koncorde")
        with refused("services.storage.invalid_argument", "lang", '"elasticsearch"'):
            read_search({}, lang="sql")


class TestGoingOn:
    def test_values_and_filter_are_read(self) -> None:
        body: Any = {"sort": ["f", "_id"], "search_after": [1, None], "post_filter": {}}
        search = read_search(body)
        assert (search.after, search.post_filter) == ((1, None), MatchAll())
        assert read_search({"search_after": None, "post_filter": None}) == Search()

    @pytest.mark.parametrize(
        "body",
        [
            {"search_after": [1]},
            {"sort": ["f"], "search_after": []},
            {"sort": ["f"], "search_after": 1},
            {"sort": ["f"], "search_after": {}},
            {"sort": ["f"], "search_after": [1, 2]},
            {"sort": ["f"], "search_after": [[1]]},
            {"sort": ["f"], "search_after": [1], "from": 1},
        ],
    )
    def test_what_leads_nowhere_is_refused(self, body: Any) -> None:
        with refused(MALFORMED):
            read_search(body)

    def test_scores_have_nothing_behind_them(self) -> None:
        with refused("trivium.unsupported.feature"):
            read_search({"sort": ["_score", "f"], "search_after": [1, 2]})
