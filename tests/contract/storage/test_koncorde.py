"""Every engine: what filters in Koncorde find, as `lang: koncorde` has them."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.koncorde.search import read_query
from storage.contract import Storage
from storage.query import Search, Sort
from tests.support.stores import TARGET, put, refused

DOCUMENTS: dict[str, Any] = {
    "a": {"model": "Truck", "size": 1, "live": True, "tags": ["red", "blue"]},
    "b": {"model": "Truck", "size": [5, 9], "live": False},
    "c": {"model": "Crate", "size": 3, "place": {"lat": 48.8566, "lon": 2.3522}},
    "d": {"model": "Box", "place": {"lat": 48.87, "lon": 2.35}},
    "e": {"place": {"lat": -0.5, "lon": 179.9}},
    "f": {"place": {"lat": 10, "lon": 0}},
}
BOX = {"top": 49, "left": 2, "bottom": 48, "right": 3}
FINDS: list[tuple[Any, str]] = [
    ({}, "abcdef"),
    ({"equals": {"model": "Truck"}}, "ab"),
    ({"equals": {"live": False}}, "b"),
    ({"in": {"model": ["Box", "Crate"]}}, "cd"),
    ({"ids": {"values": ["a", "e"]}}, "ae"),
    ({"exists": "model"}, "abcd"),
    ({"exists": {"field": "size"}}, "abc"),
    ({"exists": 'tags["blue"]'}, "a"),
    ({"missing": "model"}, "ef"),
    ({"missing": {"field": "place"}}, "ab"),
    ({"range": {"size": {"gt": 1, "lte": 5}}}, "bc"),
    ({"and": [{"exists": "place"}, {"not": {"exists": "model"}}]}, "ef"),
    ({"or": [{"equals": {"size": 1}}, {"equals": {"model": "Box"}}]}, "ad"),
    ({"nothing": {}}, ""),
    # as the peer has it, the pattern fits the whole value
    ({"regexp": {"model": "Tr.*"}}, "ab"),
    ({"regexp": {"model": {"value": "[BC](ox|rate)"}}}, "cd"),
    ({"regexp": {"model": "ruc"}}, ""),
    ({"geoBoundingBox": {"place": BOX}}, "cd"),
    ({"geoBoundingBox": {"place": {"topLeft": [49, 2.351], "bottomRight": "48, 3"}}}, "c"),
    ({"geoBoundingBox": {"place": {"top": 1, "left": 179, "bottom": -1, "right": -179}}}, "e"),
    (
        {"geoBoundingBox": {"place": {"top": 360, "left": -360, "bottom": -360, "right": 360}}},
        "cdef",
    ),
    ({"geoBoundingBox": {"place": {"top": 10, "left": 0, "bottom": 10, "right": 0}}}, "f"),
    ({"geoBoundingBox": {"place": {"top": 48, "left": 2, "bottom": 49, "right": 3}}}, ""),
    ({"geoBoundingBox": {"place": {"top": 300, "left": 2, "bottom": 200, "right": 3}}}, ""),
    ({"geoPolygon": {"place": {"points": [[48, 2], [48, 3], [50, 2.4]]}}}, "cd"),
    ({"geoPolygon": {"place": {"points": [{"lat": 9, "lon": -1}, "9, 1", [11, 0]]}}}, "f"),
    ({"geoDistance": {"place": [48.8566, 2.3522], "distance": "500m"}}, "c"),
    ({"geoDistance": {"place": "48.8566, 2.3522", "distance": "3 km"}}, "cd"),
    ({"geoDistance": {"place": [0, -179.9], "distance": "100 km"}}, "e"),
    ({"geoDistanceRange": {"place": [48.8566, 2.3522], "from": "500m", "to": "3km"}}, "d"),
]


@pytest.fixture
async def fleet(storage: Storage) -> Storage:
    for name, content in DOCUMENTS.items():
        await put(storage, name, content, refresh=True)
    return storage


async def test_a_filter_finds(fleet: Storage) -> None:
    for content, expected in FINDS:
        assert await _found(fleet, content) == expected, content


async def test_not_finds_all_others(fleet: Storage) -> None:
    for content, expected in FINDS[1:]:
        others = "".join(name for name in DOCUMENTS if name not in expected)
        assert await _found(fleet, {"not": content}) == others, content


async def _found(fleet: Storage, content: Any) -> str:
    search = Search(query=read_query(content), sort=(Sort("_id"),))
    page = await fleet.search([TARGET], search)
    assert await fleet.count([TARGET], search) == page.total == len(page.hits)
    return "".join(hit.id for hit in page.hits)


@pytest.mark.parametrize(
    ("content", "feature"),
    [
        (
            {"regexp": {"model": {"value": "t.*", "flags": "i"}}},
            'flags "i" of a regexp in a search',
        ),
        ({"regexp": {"model": "a\\b"}}, '"\\b" in a regular expression'),
    ],
)
def test_what_a_search_lacks_is_named(content: Any, feature: str) -> None:
    with refused("trivium.unsupported.feature", feature):
        read_query(content)


def test_a_polygon_has_so_many_corners() -> None:
    points = [[number / 100, number % 7] for number in range(1_001)]
    with refused("api.assert.koncorde_dsl_error"):
        read_query({"geoPolygon": {"place": {"points": points}}})
