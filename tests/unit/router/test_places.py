"""Which indexes and collections a request names, for rights that are bound to some of them."""

import json

import pytest

from controllers.searches import target_places
from router import places
from router.actions import Action
from tests.support.inprocess import in_process
from tests.support.requests import request

BOTH = {"index": "a", "engineId": "b"}


@pytest.mark.parametrize(
    ("find", "arguments", "found"),
    [
        (places.nowhere, {"index": "a"}, []),
        (places.named, {}, []),
        (places.named, {"collection": "c"}, []),
        (places.named, {"index": ""}, []),
        (places.named, {"index": ["a"]}, []),
        (places.named, {"index": "a"}, [("a", None)]),
        (places.named, {"index": "a", "collection": ""}, [("a", None)]),
        (places.named, {"index": "a", "collection": "c"}, [("a", "c")]),
        (places.engine, {"engineId": "b"}, [("b", None)]),
        (places.engine, {"engineId": {"b": 1}, "index": 3}, []),
        (places.engine, BOTH, [("a", None), ("b", None)]),
        (places.engine_assets, BOTH, [("a", "assets"), ("b", "assets")]),
        (places.own, {**BOTH, "collection": "c"}, [("a", "c"), ("b", "c")]),
        (places.own, {"engineId": "b"}, [("b", None)]),
    ],
)
def test_arguments_name_places(find, arguments, found):
    assert list(find(request(**arguments))) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (None, []),
        ([], []),
        ({"indexes": "a"}, []),
        ({"indexes": ["a", 1, "", "b"]}, [("a", None), ("b", None)]),
    ],
)
def test_the_body_names_indexes(body, found):
    assert list(places.body_indexes(request(body=body))) == found


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_every_target_of_a_search_is_a_place(encode):
    targets = [
        {"index": "a", "collections": ["x", "y", 3]},
        {"index": "b", "collections": []},
        {"index": "c"},
        {"collections": ["x"]},
        "d",
    ]
    found = target_places(request(index="z", collection="q", targets=encode(targets)))
    assert found == [("z", "q"), ("a", "x"), ("a", "y"), ("b", None), ("c", None)]


@pytest.mark.parametrize("targets", ["[", "7", 7, {"index": "a"}])
def test_targets_of_another_shape_name_nothing(targets):
    assert target_places(request(targets=targets)) == []


def test_an_action_that_does_not_say_its_places_can_not_be_made():
    async def handler(_):
        return None

    with pytest.raises(TypeError, match="places"):
        Action(controller="c", name="n", handler=handler, summary="")  # type: ignore[call-arg]


async def test_an_action_that_takes_an_index_or_an_engine_is_bound_to_it():
    """Over the whole table: whoever documents such an argument must declare it as a place."""
    async with in_process() as router:
        for action in router.router.table:
            taken = {each.name for each in action.arguments if each.place == "args"}
            for argument in {"index", "engineId"} & taken:
                found = action.places(request(**{argument: "tenant"}))
                assert [index for index, _ in found] == ["tenant"], action
