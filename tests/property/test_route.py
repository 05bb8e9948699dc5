"""Any URL: matched or not, never a fault; what a route says comes back."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from protocols.codec.route import RouteTable, decoded, normal, query_arguments
from router.actions import Action, ActionTable, Route
from router.envelope import Json, Request
from router.places import nowhere

NAMES = ("alpha", "beta", "_search", ":one", ":two")


async def _nothing(request: Request) -> Json:
    return None


@st.composite
def tables(draw: st.DrawFn) -> ActionTable:
    shapes: dict[str, Route] = {}
    paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5)
    for segments in draw(st.lists(paths, min_size=1, max_size=12)):
        route = Route(draw(st.sampled_from(["GET", "POST"])), "/" + "/".join(segments))
        shape = "/".join(":" if s.startswith(":") else s for s in segments)
        shapes[f"{route.verb} {shape}"] = route
    return ActionTable(
        Action(
            controller="c",
            name=f"a{n}",
            handler=_nothing,
            places=nowhere,
            summary="",
            routes=(route,),
        )
        for n, route in enumerate(shapes.values())
    )


def _fits(route: Route, verb: str, parts: list[str]) -> bool:
    segments = route.path.split("/")[1:]
    return (
        route.verb == verb
        and len(segments) == len(parts)
        and all(s.startswith(":") or s == part for s, part in zip(segments, parts, strict=True))
    )


def _literals(route: Route) -> list[int]:
    return [0 if s.startswith(":") else 1 for s in route.path.split("/")[1:]]


@given(
    tables(),
    st.sampled_from(["GET", "POST"]),
    st.lists(st.sampled_from(["alpha", "beta", "_search", "x"]), min_size=1, max_size=5),
)
def test_the_tree_finds_what_a_search_through_all_routes_finds(
    table: ActionTable, verb: str, parts: list[str]
) -> None:
    found = RouteTable(table).find(verb, "/" + "/".join(parts))
    fitting = [
        (_literals(route), action)
        for action in table
        for route in action.routes
        if _fits(route, verb, parts)
    ]
    # Of two routes the one whose literal segment comes first is the more exact one.
    best = max(fitting, key=lambda item: item[0], default=None)
    assert (found and found.action) == (best and best[1])


@given(st.text(), st.sampled_from(["GET", "HEAD", "POST", "", "PUT"]))
def test_any_path_is_matched_or_not(path: str, verb: str) -> None:
    route = Route("GET", "/:one/literal/:two")
    table = RouteTable(
        ActionTable(
            [
                Action(
                    controller="c",
                    name="a",
                    handler=_nothing,
                    places=nowhere,
                    summary="",
                    routes=(route,),
                )
            ]
        )
    )
    match = table.find(verb, normal(path))
    if match is not None:
        assert list(match.args) == ["one", "two"]
        assert all(match.args.values())


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_an_escaped_text_is_decoded(text: str) -> None:
    assert decoded(quote(text, safe="")) == text


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))
    )
)
def test_a_query_comes_back(args: dict[str, str]) -> None:
    assert query_arguments(urlencode(args)) == args


@given(st.text())
def test_any_query_gives_texts_and_arrays_of_texts(query: str) -> None:
    for value in query_arguments(query).values():
        assert isinstance(value, str | list)
