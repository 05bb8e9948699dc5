"""Every engine: what each clause of a query finds, and in what order."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Storage
from storage.dsl import read_search
from tests.support.stores import INDEX, TARGET, a_write, found, put, refused

PARIS = {"lat": 48.8566, "lon": 2.3522}
DOCUMENTS: dict[str, Any] = {
    "a": {"model": "Truck", "size": 1, "ratio": 0.5, "live": True, "tags": ["red", "blue"]},
    "b": {"model": "Truck", "size": [5, 9], "live": False, "seen": "2026-01-31T10:00:00Z"},
    "c": {"model": "Crate", "size": 3, "seen": 1_767_225_600_000, "place": PARIS},
    "d": {"tags": [], "size": None, "metadata": {"city": "Lyon", "floor": -2}},
    "e": {"model": ["Crate", "Box"], "address": "10.1.2.3", "note": "Hello", "ratio": 7},
}


@pytest.fixture
async def fleet(storage: Storage) -> Storage:
    """The storage with the documents above, each written twice so that indexes have moved."""
    for name, content in DOCUMENTS.items():
        await put(storage, name, {"model": "Old", "size": 77, "live": True, "place": [0, 0]})
        await put(storage, name, content, refresh=True)
    return storage


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "abcde"),
        ({"match_all": {}}, "abcde"),
        ({"match_all": {"boost": 2}}, "abcde"),
        ({"match_none": {}}, ""),
        ({"ids": {"values": ["c", "a", "none", "c"]}}, "ac"),
        ({"ids": {"values": "b"}}, "b"),
        ({"ids": {"values": []}}, ""),
        # term and terms
        ({"term": {"model": "Truck"}}, "ab"),
        ({"term": {"model": {"value": "Box"}}}, "e"),
        ({"term": {"model": "truck"}}, ""),
        ({"term": {"_id": "a"}}, "a"),
        ({"terms": {"_id": ["e", "a"]}}, "ae"),
        ({"terms": {"model": ["Box", "Truck", "x"]}}, "abe"),
        ({"terms": {"model": []}}, ""),
        ({"term": {"tags": "blue"}}, "a"),
        ({"term": {"size": 9}}, "b"),
        ({"term": {"size": "9"}}, "b"),
        ({"term": {"size": 9.0}}, "b"),
        ({"term": {"size": 9.5}}, ""),
        ({"terms": {"size": [1, 3.0, 2**70]}}, "ac"),
        ({"terms": {"size": [*range(100, 200), 5]}}, "b"),
        ({"terms": {"model": [*map(str, range(100)), "Crate"]}}, "ce"),
        ({"term": {"ratio": 0.5}}, "a"),
        ({"term": {"live": True}}, "a"),
        ({"term": {"live": "false"}}, "b"),
        ({"term": {"metadata.city": "Lyon"}}, "d"),
        ({"term": {"metadata.floor": -2}}, "d"),
        ({"term": {"seen": "2026-01-31T10:00:00.000Z"}}, "b"),
        ({"term": {"seen": "2026-01-31"}}, "b"),
        ({"term": {"seen": 1_767_225_600_000}}, "c"),
        ({"terms": {"seen": ["2026-01-31", "2026-01-01T00:00:00.000Z"]}}, "bc"),
        ({"term": {"address": "10.1.2.3"}}, "e"),
        ({"term": {"address": "10.0.0.0/8"}}, "e"),
        ({"term": {"address": "11.0.0.0/8"}}, ""),
        # what isn't mapped matches nothing
        ({"term": {"unknown": 1}}, ""),
        ({"term": {"metadata": "Lyon"}}, ""),
        ({"range": {"unknown": {"gt": 1}}}, ""),
        ({"exists": {"field": "unknown"}}, ""),
        ({"term": {"parts.name": "x"}}, ""),
        ({"bool": {"must_not": {"term": {"unknown": 1}}}}, "abcde"),
        # range
        ({"range": {"size": {"gt": 1}}}, "bc"),
        ({"range": {"size": {"gte": 1, "lt": 3}}}, "a"),
        ({"range": {"size": {"gt": 5, "lt": 9}}}, ""),
        ({"range": {"size": {"gte": 6, "lte": 8}}}, ""),
        ({"range": {"size": {"gt": 8.5}}}, "b"),
        ({"range": {"size": {"lt": "3"}}}, "a"),
        ({"range": {"size": {}}}, "abc"),
        ({"range": {"size": {"gte": None, "lte": 1}}}, "a"),
        ({"range": {"size": {"lt": 10**30}}}, "abc"),
        ({"range": {"model": {"gte": "Crate", "lt": "D"}}}, "ce"),
        ({"range": {"live": {"gte": True}}}, "a"),
        ({"range": {"seen": {"gte": "2026-01-31"}}}, "b"),
        ({"range": {"seen": {"gt": "2026-01-31"}}}, ""),
        ({"range": {"seen": {"lte": "2026-01-31"}}}, "bc"),
        ({"range": {"seen": {"lt": 1_767_225_600_001}}}, "c"),
        ({"range": {"seen": {"gte": "31/01/2026", "format": "dd/MM/yyyy"}}}, "b"),
        ({"range": {"_kuzzle_info.createdAt": {"gt": 0}}}, "abcde"),
        ({"range": {"address": {"gte": "10.0.0.0", "lte": "10.255.0.0"}}}, "e"),
        # exists
        ({"exists": {"field": "size"}}, "abc"),
        ({"exists": {"field": "tags"}}, "a"),
        ({"exists": {"field": "place"}}, "c"),
        ({"exists": {"field": "note"}}, "e"),
        ({"exists": {"field": "metadata"}}, "d"),
        ({"exists": {"field": "metadata.city"}}, "d"),
        ({"exists": {"field": "model.text"}}, "abce"),
        ({"exists": {"field": "blob"}}, ""),
        ({"exists": {"field": "_id"}}, "abcde"),
        ({"exists": {"field": "_kuzzle_info"}}, "abcde"),
        # geo_distance: Versailles lies 17 km from Paris
        ({"geo_distance": {"distance": "20km", "place": {"lat": 48.8, "lon": 2.13}}}, "c"),
        ({"geo_distance": {"distance": "10km", "place": "48.8,2.13"}}, ""),
        ({"geo_distance": {"distance": 20_000, "place": [2.13, 48.8]}}, "c"),
        ({"geo_distance": {"distance": 20, "unit": "km", "place": [2.13, 48.8]}}, "c"),
        ({"geo_distance": {"distance": "30000km", "place": [179.9, -89.9]}}, "c"),
        ({"geo_distance": {"distance": "1m", "place": [0, 0]}}, ""),
        # bool
        ({"bool": {}}, "abcde"),
        ({"bool": {"must": [{"term": {"model": "Truck"}}, {"term": {"size": 1}}]}}, "a"),
        ({"bool": {"filter": {"term": {"model": "Truck"}}}}, "ab"),
        ({"bool": {"must_not": [{"term": {"model": "Truck"}}, {"ids": {"values": "c"}}]}}, "de"),
        ({"bool": {"should": [{"term": {"size": 1}}, {"term": {"live": False}}]}}, "ab"),
        ({"bool": {"should": []}}, "abcde"),
        (
            {"bool": {"must": {"term": {"model": "Truck"}}, "should": {"term": {"size": 3}}}},
            "ab",
        ),
        (
            {
                "bool": {
                    "filter": [{"exists": {"field": "model"}}],
                    "should": [{"term": {"size": 3}}, {"term": {"size": 1}}],
                    "minimum_should_match": 1,
                }
            },
            "ac",
        ),
        (
            {
                "bool": {
                    "should": [
                        {"term": {"model": "Truck"}},
                        {"term": {"live": True}},
                        {"term": {"size": 9}},
                    ],
                    "minimum_should_match": 2,
                }
            },
            "ab",
        ),
        ({"bool": {"should": {"match_all": {}}, "minimum_should_match": 2}}, ""),
        ({"bool": {"must_not": {"ids": {"values": ["a"]}}, "minimum_should_match": 1}}, ""),
        ({"bool": {"should": {"match_none": {}}, "minimum_should_match": 0}}, "abcde"),
        (
            {"bool": {"should": {"match_all": {}}, "must_not": {"exists": {"field": "size"}}}},
            "de",
        ),
        (
            {"bool": {"must": {"bool": {"must_not": {"bool": {"must": {"match_none": {}}}}}}}},
            "abcde",
        ),
        ({"constant_score": {"filter": {"term": {"size": 3}}}}, "c"),
    ],
)
async def test_a_query_finds(fleet: Storage, query: Any, expected: str) -> None:
    assert "".join(await found(fleet, {"query": query})) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([], "abcde"),
        ({}, "abcde"),
        ("_id", "abcde"),
        ({"_id": "desc"}, "edcba"),
        (["_score"], "abcde"),
        # Of several values the lowest counts, descending the highest; without one, last.
        ("size", "acbde"),
        ([{"size": "desc"}], "bcade"),
        ([{"size": {"order": "desc", "missing": "_first"}}], "debca"),
        ([{"size": {"missing": "_first"}}], "deacb"),
        ([{"model": {"order": "asc"}}], "ecabd"),
        (["model", {"size": "desc"}], "ecbad"),
        ([{"model": "desc"}, {"_id": "desc"}], "baecd"),
        ([{"live": "asc"}], "bacde"),
        ([{"live": "desc"}, {"_id": "desc"}], "abedc"),
        ([{"ratio": "asc"}], "aebcd"),
        ([{"seen": "desc"}], "bcade"),
        ([{"metadata.floor": "asc"}], "dabce"),
        ([{"unknown": {"order": "asc", "unmapped_type": "long"}}, {"_id": "desc"}], "edcba"),
    ],
)
async def test_a_search_is_in_order(fleet: Storage, sort: Any, expected: str) -> None:
    assert "".join(await found(fleet, {"sort": sort})) == expected


# Queries and what they find; one test, as each empties the engine.
FINDS: Any = [
    ({"prefix": {"model": "Tru"}}, "ab"),
    ({"prefix": {"model": {"value": "Box"}}}, "e"),
    ({"prefix": {"model": "tru"}}, ""),
    ({"prefix": {"model": ""}}, "abce"),
    ({"prefix": {"unknown": "x"}}, ""),
    ({"wildcard": {"model": "*r*"}}, "abce"),
    ({"wildcard": {"model": {"wildcard": "?ox", "boost": 2}}}, "e"),
    ({"wildcard": {"model": "Truck"}}, "ab"),
    ({"wildcard": {"metadata.city": "L*n"}}, "d"),
    ({"regexp": {"model": "(Tr|B).*"}}, "abe"),
    ({"regexp": {"model": {"value": "[A-C][a-z]+", "max_determinized_states": 10}}}, "ce"),
    ({"regexp": {"model": "ruck"}}, ""),
    ({"bool": {"must_not": {"regexp": {"model": "T.*"}}}}, "cde"),
    ({"range": {"seen": {"gte": "2026-01-31||/M", "lt": "2026-01-31||/d"}}}, "c"),
    ({"range": {"seen": {"gt": "2026-01-31||/d"}}}, ""),
    ({"range": {"seen": {"lte": "2026-01-31||-30d/d"}}}, "c"),
    ({"range": {"seen": {"gt": "now"}}}, ""),
    ({"range": {"seen": {"lt": "now-1d/d"}}}, "bc"),
    ({"range": {"seen": {"gte": "2026-01-31T11:00:00", "time_zone": "+01:00"}}}, "b"),
    ({"range": {"seen": {"gte": "2026-01-31T11:00:00"}}}, ""),
    ({"geo_bounding_box": {"place": {"top_left": [2, 49], "bottom_right": [3, 48]}}}, "c"),
    ({"geo_bounding_box": {"place": {"top": 49, "left": 3, "bottom": 48, "right": 4}}}, ""),
    ({"geo_bounding_box": {"place": {"top": 49, "left": 170, "bottom": 48, "right": 3}}}, "c"),
    ({"geo_polygon": {"place": {"points": [[2, 48], [3, 48], [2.5, 50]]}}}, "c"),
    ({"geo_polygon": {"place": {"points": ["48,2", "48,3", "48.1,2.5"]}}}, ""),
    # e: note "Hello"; model.text beside model
    ({"match": {"note": "HELLO world"}}, "e"),
    ({"match": {"note": {"query": "hello world", "operator": "and"}}}, ""),
    ({"match": {"model.text": "truck"}}, "ab"),
    ({"match": {"model": "truck"}}, ""),
    ({"match": {"model": "Truck"}}, "ab"),
    ({"match": {"size": "9"}}, "b"),
    ({"match": {"_id": "c"}}, "c"),
    ({"match": {"unknown": "x"}}, ""),
    ({"match": {"note": ""}}, ""),
    ({"match": {"note": {"query": "!", "zero_terms_query": "all"}}}, "abcde"),
    ({"match": {"size": {"query": "many", "lenient": True}}}, ""),
    ({"match_phrase": {"note": "hello"}}, "e"),
    ({"match_phrase": {"note": "hello hello"}}, ""),
    ({"match_phrase_prefix": {"model.text": "tru"}}, "ab"),
    ({"multi_match": {"query": "cr", "type": "phrase_prefix", "fields": ["*"]}}, "ce"),
    ({"multi_match": {"query": "hello", "fields": ["no*", "model^2"]}}, "e"),
    ({"multi_match": {"query": "9"}}, "b"),
    ({"term": {"note": "hello"}}, "e"),
    ({"term": {"note": "Hello"}}, ""),
    ({"prefix": {"note": "hel"}}, "e"),
    ({"wildcard": {"note": "H*O"}}, "e"),
    ({"regexp": {"note": "h.*"}}, "e"),
    ({"range": {"note": {"gte": "h", "lt": "i"}}}, "e"),
    ({"bool": {"must_not": {"match": {"note": "hello"}}}}, "abcd"),
]


async def test_a_query_by_pattern_time_or_shape_finds(fleet: Storage) -> None:
    for query, expected in FINDS:
        assert "".join(await found(fleet, {"query": query})) == expected, query


async def test_hits_tell_what_they_were_sorted_by(fleet: Storage) -> None:
    body: Any = {"sort": [{"size": "desc"}, "model", "live", "seen", "_id"], "size": 3}
    page = await fleet.search([TARGET], read_search(body))
    assert [hit.sort for hit in page.hits] == [
        [9, "Truck", False, 1_769_853_600_000, "b"],
        [3, "Crate", None, 1_767_225_600_000, "c"],
        [1, "Truck", True, None, "a"],
    ]
    kinds = [type(hit.sort[2]).__name__ for hit in page.hits]
    assert kinds == ["bool", "NoneType", "bool"]


async def test_a_hit_tells_its_document_and_place(fleet: Storage) -> None:
    page = await fleet.search([TARGET], read_search({"query": {"ids": {"values": ["a"]}}}))
    (hit,) = page.hits
    assert (hit.index, hit.collection, hit.id, hit.score) == (*TARGET, "a", 1.0)
    assert hit.source == (await fleet.get(*TARGET, "a")).source
    assert hit.sort == []


async def test_pages_are_cut_out_of_an_exact_total(fleet: Storage) -> None:
    cuts = {(0, 2): "ab", (2, 2): "cd", (4, 2): "e", (5, 2): "", (0, 0): "", (1, 100): "bcde"}
    for (offset, size), expected in cuts.items():
        page = await fleet.search([TARGET], read_search({"from": offset, "size": size}))
        assert "".join(hit.id for hit in page.hits) == expected
        assert page.total == 5


async def test_the_default_page_holds_ten(storage: Storage) -> None:
    await storage.bulk([a_write("create", f"d{number:02}") for number in range(12)])
    await storage.refresh(*TARGET)
    page = await storage.search([TARGET], read_search(None))
    assert [hit.id for hit in page.hits] == [f"d{number:02}" for number in range(10)]
    assert page.total == 12


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (True, {"model", "metadata", "_kuzzle_info"}),
        (False, set()),
        ([], {"model", "metadata", "_kuzzle_info"}),
        ("model", {"model"}),
        (["mod*", "none"], {"model"}),
        ({"excludes": ["_kuzzle_info", "metadata"]}, {"model"}),
        ({"includes": ["model", "metadata"], "excludes": ["model"]}, {"metadata"}),
    ],
)
async def test_only_the_wanted_parts_are_shown(
    storage: Storage, source: Any, expected: set[str]
) -> None:
    await put(storage, "one", {"model": "M", "metadata": {"city": "x", "list": [{"a": 1, "b": 2}]}})
    await storage.refresh(*TARGET)
    page = await storage.search([TARGET], read_search({"_source": source}))
    assert set(page.hits[0].source) == expected


async def test_parts_are_wanted_by_path(storage: Storage) -> None:
    await put(storage, "one", {"metadata": {"city": "x", "list": [{"a": 1, "b": 2}, {"b": 3}]}})
    await storage.refresh(*TARGET)
    page = await storage.search([TARGET], read_search({"_source": "metadata.list.a"}))
    assert page.hits[0].source == {"metadata": {"list": [{"a": 1}]}}


class TestManyCollections:
    @pytest.fixture
    async def two(self, fleet: Storage) -> Storage:
        mapping: Any = {"properties": {"size": {"type": "double"}, "own": {"type": "keyword"}}}
        await fleet.create_collection("tenant-b", "assets", mapping)
        for name, size in (("a", 2.5), ("z", 100)):
            content = {"size": size, "own": "x"}
            await put(fleet, name, content, index="tenant-b", refresh=True)
        return fleet

    async def test_hits_of_all_are_in_one_order(self, two: Storage) -> None:
        search = read_search({"sort": [{"size": "desc"}], "size": 4})
        page = await two.search([TARGET, ("tenant-b", "assets")], search)
        assert [(hit.index, hit.id) for hit in page.hits] == [
            ("tenant-b", "z"),
            (INDEX, "b"),
            (INDEX, "c"),
            ("tenant-b", "a"),
        ]
        assert page.total == 7

    async def test_ties_are_broken_by_id_over_all(self, two: Storage) -> None:
        ids = await found(two, {}, TARGET, ("tenant-b", "assets"))
        assert "".join(ids) == "aabcdez"

    async def test_each_field_is_looked_for_where_it_is_mapped(self, two: Storage) -> None:
        body = {"query": {"term": {"own": "x"}}}
        assert await found(two, body, TARGET, ("tenant-b", "assets")) == ["a", "z"]

    async def test_a_collection_named_twice_counts_once(self, two: Storage) -> None:
        assert len(await found(two, {}, TARGET, TARGET)) == 5

    async def test_no_collections_hold_nothing(self, two: Storage) -> None:
        page = await two.search([], read_search(None))
        assert (page.hits, page.total) == ([], 0)


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"term": {"size": "many"}}},
        {"query": {"term": {"size": True}}},
        {"query": {"term": {"live": "maybe"}}},
        {"query": {"term": {"live": 1}}},
        {"query": {"range": {"seen": {"gt": "yesterday"}}}},
        {"query": {"term": {"address": "10.0.0.0/99"}}},
        {"query": {"term": {"place": "1,2"}}},
        {"query": {"term": {"blob": "x"}}},
        {"query": {"range": {"_id": {"gt": "a"}}}},
        {"query": {"geo_distance": {"distance": "1km", "size": [1, 2]}}},
        {"query": {"geo_distance": {"distance": "1km", "unknown": [1, 2]}}},
        {"query": {"match": {"size": "many"}}},
        {"query": {"match_phrase_prefix": {"size": 1}}},
        {"query": {"match": {"place": "x"}}},
        {"sort": "note"},
        {"sort": "place"},
        {"sort": "blob"},
        {"sort": "unknown"},
        {"sort": "metadata"},
    ],
)
async def test_what_a_field_cannot_answer_is_refused(fleet: Storage, body: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await fleet.search([TARGET], read_search(body))


async def test_a_refused_count_is_refused_like_its_search(fleet: Storage) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await fleet.count([TARGET], read_search({"query": {"term": {"size": "many"}}}))


async def test_an_update_moves_a_document_in_every_index(fleet: Storage) -> None:
    changes = {"model": ["Van", "Truck"], "size": [5], "place": None, "live": None}
    await fleet.write(a_write("update", "b", changes, refresh=True))
    assert await found(fleet, {"query": {"term": {"model": "Van"}}}) == ["b"]
    assert await found(fleet, {"query": {"term": {"model": "Truck"}}}) == ["a", "b"]
    assert await found(fleet, {"query": {"term": {"size": 9}}}) == []
    assert await found(fleet, {"query": {"term": {"size": 5}}}) == ["b"]
    assert await found(fleet, {"query": {"exists": {"field": "live"}}}) == ["a"]


class TestPostFilter:
    async def test_it_narrows_hits_and_total(self, fleet: Storage) -> None:
        body = {"query": {"exists": {"field": "model"}}, "post_filter": {"term": {"live": True}}}
        assert await found(fleet, body) == ["a"]

    async def test_none_narrows_nothing(self, fleet: Storage) -> None:
        assert len(await found(fleet, {"post_filter": None})) == 5


# Sort keys, the values to go on behind, what is then found. One test, as each empties the engine.
BEHIND: Any = [
    # In this order: a 1, c 3, b 5 (or 9 descending), d and e without.
    (["size"], [1], "cbde"),
    (["size"], [3], "bde"),
    (["size"], ["3"], "bde"),
    (["size"], [2.9], "cbde"),
    (["size"], [9], "de"),
    (["size"], [None], ""),
    ([{"size": "desc"}], [9], "cade"),
    ([{"size": "desc"}], [1], "de"),
    ([{"size": {"missing": "_first"}}], [None], "acb"),
    ([{"size": {"missing": "_first"}}], [1], "cb"),
    ([{"size": {"missing": "_first", "order": "desc"}}], [None], "bca"),
    (["_id"], ["b"], "cde"),
    ([{"_id": "desc"}], ["d"], "cba"),
    # Model: Box of e, Crate of c, Truck of a and b, none of d.
    (["model"], ["Crate"], "abd"),
    (["model", "_id"], ["Truck", "a"], "bd"),
    (["model", {"size": "desc"}], ["Truck", 9], "ad"),
    (["model", "_id"], [None, "c"], "d"),
    (["model", "_id"], [None, "d"], ""),
    (["live"], [False], "acde"),
    (["live", "_id"], [True, "a"], "cde"),
    (["live", "_id"], [1, "a"], "cde"),
    (["seen"], ["2026-01-01"], "bade"),
    (["seen"], [1_767_225_600_000], "bade"),
    (["ratio"], [0.5], "ebcd"),
    (["ratio"], [None], ""),
    (["address"], ["10.0.0.0"], "eabcd"),
    ([{"unknown": {"unmapped_type": "long"}}, "_id"], [None, "c"], "de"),
]


async def test_a_search_goes_on_behind(fleet: Storage) -> None:
    for sort, after, expected in BEHIND:
        page = await fleet.search([TARGET], read_search({"sort": sort, "search_after": after}))
        assert "".join(hit.id for hit in page.hits) == expected, (sort, after)
        assert page.total == 5


async def test_pages_one_behind_the_other_hold_everything_once(storage: Storage) -> None:
    sizes = [None, 2, 1, 3, 2, None, 1, 2, 1, 3]
    writes = [a_write("create", f"d{at}", {"size": size}) for at, size in enumerate(sizes)]
    await storage.bulk(writes)
    await storage.refresh(*TARGET)
    seen: list[str] = []
    body: dict[str, Any] = {"sort": [{"size": "desc"}, "_id"], "size": 3}
    while page := (await storage.search([TARGET], read_search(body))).hits:
        seen += [hit.id for hit in page]
        body["search_after"] = page[-1].sort
    assert seen == ["d3", "d9", "d1", "d4", "d7", "d2", "d6", "d8", "d0", "d5"]


@pytest.mark.parametrize(
    ("sort", "after"), [(["size"], ["many"]), (["live"], [2]), (["size"], [2**40])]
)
async def test_what_no_document_can_be_sorted_by_is_refused(
    fleet: Storage, sort: Any, after: Any
) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await fleet.search([TARGET], read_search({"sort": sort, "search_after": after}))


async def test_a_scan_goes_through_all_hits_by_id(fleet: Storage) -> None:
    search = read_search({"query": {"exists": {"field": "model"}}, "size": 2})
    found, after_id = [], ""
    while hits := await fleet.scan(*TARGET, search, after_id):
        found += [hit.id for hit in hits]
        assert all(hit.version == 2 and hit.source["model"] for hit in hits)
        after_id = hits[-1].id
    assert found == ["a", "b", "c", "e"]
    with refused("services.storage.unknown_collection"):
        await fleet.scan(INDEX, "none", search)
    with refused("services.storage.unexpected_bad_request"):
        await fleet.scan(*TARGET, read_search({"query": {"term": {"size": "x"}}}))
