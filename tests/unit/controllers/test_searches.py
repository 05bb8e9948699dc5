"""document:search and count: what is asked, where, and what the hits look like."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.inprocess import InProcess, in_process

PLACE = {"index": "lab", "collection": "things"}
MAPPING = {"properties": {"n": {"type": "integer"}}}


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process(fetch_max=5) as router:
        for collection in ("things", "others"):
            place = {"index": "lab", "collection": collection}
            await router.result("collection:create", {"mappings": MAPPING}, **place)
            for n in range(3):
                await router.result("document:create", {"n": n}, _id=f"{collection}-{n}", **place)
        yield router


def ids(result: dict) -> list[str]:  # type: ignore[type-arg]
    return [hit["_id"] for hit in result["hits"]]


async def test_hits_have_the_shape_that_sdks_read(lab: InProcess) -> None:
    found = await lab.result("document:search", {"query": {"term": {"n": 1}}}, **PLACE)
    (hit,) = found["hits"]
    assert found["total"] == 1
    assert hit["_id"] == "things-1"
    assert hit["_source"]["n"] == 1
    assert hit["_source"]["_kuzzle_info"]["author"] == "-1"
    assert (hit["index"], hit["collection"]) == ("lab", "things")
    assert hit["_score"] == 1.0


async def test_a_page_is_cut_by_arguments_or_body_and_total_is_exact(lab: InProcess) -> None:
    body = {"sort": [{"n": "desc"}], "from": 0, "size": 1}
    found = await lab.result("document:search", body, **PLACE)
    assert (ids(found), found["total"]) == (["things-2"], 3)
    found = await lab.result("document:search", body, size="2", **{"from": "1"}, **PLACE)
    assert (ids(found), found["total"]) == (["things-1", "things-0"], 3)


async def test_over_http_get_the_body_is_an_argument(lab: InProcess) -> None:
    search = '{"query": {"term": {"n": 2}}}'
    found = await lab.result("document:search", wire="http", searchBody=search, **PLACE)
    assert ids(found) == ["things-2"]
    for wrong in ("{", "[1]"):
        await lab.refused(
            "api.assert.invalid_type", "document:search", wire="http", searchBody=wrong, **PLACE
        )


async def test_an_empty_sort_and_an_empty_filter_of_kourou_are_understood(lab: InProcess) -> None:
    found = await lab.result("document:search", {"query": {}, "sort": {}}, lang="koncorde", **PLACE)
    assert found["total"] == 3


class TestTargets:
    async def test_several_collections_are_searched_at_once(self, lab: InProcess) -> None:
        query = {"query": {"term": {"n": 1}}}
        named = [{"index": "lab", "collections": ["things", "others"]}]
        found = await lab.result("document:search", query, targets=named)
        assert sorted(ids(found)) == ["others-1", "things-1"]
        assert {hit["collection"] for hit in found["hits"]} == {"others", "things"}
        everything = [{"index": "lab", "collections": []}]
        assert (await lab.result("document:search", query, targets=everything))["total"] == 2

    async def test_over_http_they_are_json_text(self, lab: InProcess) -> None:
        targets = '[{"index":"lab","collections":["others"]}]'
        found = await lab.result("document:search", {}, wire="http", targets=targets)
        assert found["total"] == 3

    @pytest.mark.parametrize(
        ("targets", "id"),
        [
            ("nope", "api.assert.invalid_type"),
            ({}, "api.assert.invalid_type"),
            ([5], "api.assert.invalid_type"),
            ([], "api.assert.empty_argument"),
            ([{}], "api.assert.missing_argument"),
            ([{"index": 5}], "api.assert.invalid_type"),
            ([{"index": "lab"}], "api.assert.missing_argument"),
            ([{"index": "lab", "collections": "things"}], "api.assert.invalid_type"),
            ([{"index": "lab", "collections": [5]}], "api.assert.invalid_type"),
            ([{"index": "lab", "collections": ["a*"]}], "services.storage.invalid_target_format"),
            ([{"index": "_all", "collections": ["a"]}], "services.storage.invalid_target_format"),
            ([{"index": "x", "collections": []}], "services.storage.unknown_index"),
        ],
    )
    async def test_what_makes_no_target_is_refused(
        self, lab: InProcess, targets: object, id: str
    ) -> None:
        await lab.refused(id, "document:search", {}, targets=targets)

    async def test_they_exclude_a_named_collection(self, lab: InProcess) -> None:
        targets = [{"index": "lab", "collections": ["things"]}]
        for place in ({"index": "lab"}, {"collection": "things"}, PLACE):
            await lab.refused(
                "api.assert.mutually_exclusive", "document:search", {}, targets=targets, **place
            )

    @pytest.mark.parametrize(
        "place",
        [
            {"index": "lab,x", "collection": "things"},
            {"index": "lab", "collection": "t*"},
            {"index": "lab", "collection": "a+b"},
            {"index": "_all", "collection": "things"},
        ],
    )
    async def test_lists_and_wildcards_have_targets_instead(
        self, lab: InProcess, place: dict[str, str]
    ) -> None:
        error = "services.storage.invalid_multi_index_collection_usage"
        await lab.refused(error, "document:search", {}, **place)


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "arguments", "id"),
        [
            ({}, {"size": 6}, "services.storage.get_limit_exceeded"),
            ({"size": 6}, {}, "services.storage.get_limit_exceeded"),
            ({}, {"size": -1}, "services.storage.unexpected_bad_request"),
            ({"from": -1}, {}, "services.storage.unexpected_bad_request"),
            ({}, {"from": "x"}, "api.assert.invalid_type"),
            ([1], {}, "api.assert.invalid_type"),
            ({}, {"lang": "sql"}, "api.assert.invalid_argument"),
            ({}, {"lang": 5}, "api.assert.invalid_type"),
            ({"query": {"nope": {}}}, {"lang": "koncorde"}, "api.assert.koncorde_unknown_keyword"),
            (
                {"query": {"bool": {}}},
                {"lang": "koncorde"},
                "api.assert.koncorde_restricted_keyword",
            ),
            (
                {"query": {"not": {"match": {"n": "1"}}}},
                {"lang": "koncorde"},
                "api.assert.koncorde_restricted_keyword",
            ),
            ({"query": {"equals": 1}}, {"lang": "koncorde"}, "api.assert.koncorde_dsl_error"),
            ({"sorted": 1}, {"lang": "koncorde"}, "services.storage.invalid_search_query"),
            ({}, {"scroll": "61s"}, "services.storage.scroll_duration_too_great"),
            ({}, {"scroll": "a while"}, "api.assert.invalid_argument"),
            ({}, {"scroll": 5}, "api.assert.invalid_type"),
            ({"from": 1}, {"scroll": "1s"}, "services.storage.unexpected_bad_request"),
            ({"size": 0}, {"scroll": "1s"}, "services.storage.unexpected_bad_request"),
            (
                {"sort": "n", "search_after": [1]},
                {"scroll": "1s"},
                "services.storage.unexpected_bad_request",
            ),
            ({"querry": {}}, {}, "services.storage.invalid_search_query"),
            ({"query": {"equals": {"n": 1}}}, {}, "services.storage.unknown_query_keyword"),
            ({"aggs": {"a": {}}}, {}, "services.storage.unexpected_bad_request"),
            ({"aggs": {"a": {"global": {}}}}, {}, "trivium.unsupported.feature"),
            (
                {"aggs": {"a": {"max": {"field": "n"}}}},
                {"scroll": "1s"},
                "trivium.unsupported.feature",
            ),
        ],
    )
    async def test_of_a_search(
        self, lab: InProcess, body: object, arguments: dict[str, object], id: str
    ) -> None:
        await lab.refused(id, "document:search", body, **arguments, **PLACE)

    async def test_as_many_as_the_limit_are_answered(self, lab: InProcess) -> None:
        assert (await lab.result("document:search", {}, size=5, **PLACE))["total"] == 3

    async def test_of_a_count(self, lab: InProcess) -> None:
        await lab.refused("api.assert.invalid_type", "document:count", [1], **PLACE)
        await lab.refused("api.assert.invalid_argument", "document:count", {}, lang="q", **PLACE)


async def test_count_counts_what_matches(lab: InProcess) -> None:
    assert await lab.result("document:count", **PLACE) == {"count": 3}
    query = {"query": {"range": {"n": {"gte": 1}}}}
    assert await lab.result("document:count", query, **PLACE) == {"count": 2}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1, 2]),
        ({"equals": {"n": 1}}, [1]),
        ({"range": {"n": {"gt": 0, "lte": 2}}}, [1, 2]),
        ({"and": [{"exists": "n"}, {"not": {"equals": {"n": 1}}}]}, [0, 2]),
        ({"or": [{"equals": {"n": 0}}, {"ids": {"values": ["things-2"]}}]}, [0, 2]),
        ({"in": {"_id": ["things-0", "things-1"]}}, [0, 1]),
        ({"missing": "n"}, []),
        ({"nothing": {}}, []),
    ],
)
async def test_a_search_in_koncorde_finds_the_same(
    lab: InProcess, query: object, found: list[int]
) -> None:
    body = {"query": query, "sort": ["n"]}
    page = await lab.result("document:search", body, lang="koncorde", **PLACE)
    assert (ids(page), page["total"]) == ([f"things-{n}" for n in found], len(found))
    count = await lab.result("document:count", {"query": query}, lang="koncorde", **PLACE)
    assert count == {"count": len(found)}


async def test_a_search_in_koncorde_knows_places() -> None:
    async with in_process() as router:
        mapping = {"properties": {"p": {"type": "geo_point"}}}
        await router.result("collection:create", {"mappings": mapping}, **PLACE)
        for number, lat in enumerate((48.85, 48.87, 49.85)):
            place = {"p": {"lat": lat, "lon": 2.35}}
            await router.result("document:create", place, _id=f"things-{number}", **PLACE)
        for query, found in (
            ({"geoDistance": {"p": [48.85, 2.35], "distance": "5km"}}, [0, 1]),
            ({"geoDistanceRange": {"p": "48.85, 2.35", "from": "1km", "to": "5km"}}, [1]),
            ({"geoPolygon": {"p": {"points": [[49, 2], [49, 3], [50, 2.4]]}}}, [2]),
        ):
            body = {"query": query, "sort": ["_id"]}
            page = await router.result("document:search", body, lang="koncorde", **PLACE)
            assert ids(page) == [f"things-{number}" for number in found]
        body = {"query": {"regexp": {"p": {"value": "x", "flags": "i"}}}}
        await router.refused(
            "trivium.unsupported.feature", "document:search", body, lang="koncorde", **PLACE
        )


async def test_a_search_tells_its_aggregations(lab: InProcess) -> None:
    body = {"aggs": {"most": {"max": {"field": "n"}}}, "query": {"range": {"n": {"lt": 2}}}}
    found = await lab.result("document:search", body, size=0, **PLACE)
    assert found == {"hits": [], "total": 2, "aggregations": {"most": {"value": 1.0}}}
