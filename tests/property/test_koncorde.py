"""Any filters, any documents: the index finds what plain evaluation finds, and no form changes
what a filter means."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from realtime.koncorde.evaluate import form_tester, matches
from realtime.koncorde.index import Index
from realtime.koncorde.normal import NormalForm
from realtime.koncorde.parse import FilterLimits, normal_form, parse
from router.errors import RouterError

LIMITS = FilterLimits(conditions=100, depth=32)

FIELDS = st.sampled_from(["a", "b", "a.c", "a.c.d", "x.y", "_id"])
TEXTS = st.sampled_from(["", "a", "ab", "B", "1", "é", "48.85, 2.35", "u09tvw0"])
NUMBERS = st.sampled_from([-1.5, -1, -0.0, 0, 0.5, 1, 1.0, 2, 1e300, 2**53 + 1, 10**400])
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
DEGREES = st.sampled_from([-90, -45.5, 0, 0.001, 10, 48.85, 89.99, 90])
PLACES = st.one_of(
    st.fixed_dictionaries({"lat": DEGREES, "lon": DEGREES.map(lambda value: value * 2)}),
    st.tuples(DEGREES, DEGREES).map(list),
    st.sampled_from(["48.85, 2.35", "u09tvw0"]),
)
DISTANCES = st.sampled_from(["1m", "12km", "400 km", "5000km", "19000km", "3 258,55 Ft"])
VALUES = SCALARS | PLACES | st.lists(SCALARS | PLACES, max_size=3)
LEAVES = VALUES | st.fixed_dictionaries({}, optional={"d": VALUES, "e": SCALARS})
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES | st.fixed_dictionaries({}, optional={"c": LEAVES, "b": SCALARS}),
        "b": VALUES,
        "a.c": SCALARS,
        "x": st.fixed_dictionaries({}, optional={"y": LEAVES}),
        "_id": TEXTS,
    },
)


def on_field(values: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> Any:
    """`{field: value}` for the fields above."""
    return st.builds(
        lambda field, value, rest: {field: value, **rest},
        FIELDS,
        values,
        st.fixed_dictionaries(more),
    )


BOUNDS = st.tuples(
    st.sampled_from(["gt", "gte"]), st.sampled_from(["lt", "lte"]), NUMBERS, NUMBERS
).map(lambda given: {given[0]: given[2], given[1]: given[3]})
RANGES = BOUNDS | st.builds(
    lambda name, value: {name: value}, st.sampled_from(["gt", "lte"]), NUMBERS
)
CONTENT = st.fixed_dictionaries(
    {}, optional={"a": LEAVES, "x": LEAVES, "a.c": SCALARS, "b": VALUES}
)
CLAUSES = st.one_of(
    st.builds(lambda given: {"equals": given}, on_field(SCALARS)),
    st.builds(lambda given: {"in": given}, on_field(st.lists(TEXTS, min_size=1, max_size=3))),
    st.builds(lambda ids: {"ids": {"values": ids}}, st.lists(TEXTS, min_size=1, max_size=2)),
    st.builds(lambda field: {"exists": field}, FIELDS),
    st.builds(lambda field: {"missing": {"field": field}}, FIELDS),
    st.builds(lambda field: {"exists": f'{field}["a"]'}, FIELDS),
    st.builds(lambda field: {"exists": f"{field}[1]"}, FIELDS),
    st.builds(lambda field: {"missing": f"{field}[true]"}, FIELDS),
    st.builds(lambda given: {"range": given}, on_field(RANGES)),
    st.builds(
        lambda given: {"regexp": given}, on_field(st.sampled_from(["a", "^b$", ".", "[0-9]"]))
    ),
    st.builds(lambda given: {"regexp": given}, on_field(st.just({"value": "b", "flags": "i"}))),
    st.builds(lambda content: {"match": content}, CONTENT.map(lambda content: content or {"b": 1})),
    st.builds(lambda given: {"geoDistance": given}, on_field(PLACES, distance=DISTANCES)),
    st.builds(
        lambda given: {"geoDistanceRange": given},
        on_field(PLACES, **{"from": st.just("1km"), "to": st.just("6000km")}),
    ),
    st.builds(
        lambda given: {"geoBoundingBox": given},
        on_field(st.fixed_dictionaries({"topLeft": PLACES, "bottomRight": PLACES})),
    ),
    st.builds(
        lambda given: {"geoPolygon": given},
        on_field(st.fixed_dictionaries({"points": st.lists(PLACES, min_size=3, max_size=5)})),
    ),
    st.just({"nothing": {}}),
)


def combined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda given: {"and": given}, several),
        st.builds(lambda given: {"or": given}, several),
        st.builds(lambda given: {"not": given}, parts),
        st.builds(
            lambda given: {"bool": given},
            st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(("must", "must_not", "should", "should_not"), several),
            ).map(lambda given: given or {"should": [{"exists": "a"}]}),
        ),
        st.builds(
            lambda field, index, query: {
                "select": {"field": field, "index": index, "query": query}
            },
            FIELDS,
            st.integers(-2, 1),
            st.builds(lambda value: {"equals": {"value": value}}, SCALARS) | parts,
        ),
    )


_FILTERS = st.recursive(CLAUSES, combined, max_leaves=8)


# Functions, so that messages name what was drawn from rather than spell it out.
@st.composite
def filters(draw: Any) -> Any:
    return draw(_FILTERS)


@st.composite
def documents(draw: Any) -> Any:
    return draw(_DOCUMENTS)


FILTERS = filters()
DOCUMENTS = documents()


def form_of(content: Any) -> NormalForm:
    """The filter's normal form; filters that contradict themselves or are too large don't count."""
    try:
        return normal_form(content, LIMITS)
    except RouterError:
        assume(False)
        raise


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILTERS, st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_the_normal_form_means_what_the_filter_means(
    content: Any, given_documents: list[Any]
) -> None:
    form = form_of(content)
    test = form_tester(form)
    expression = parse(content, LIMITS)
    for document in given_documents:
        assert test(document) is matches(expression, document)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILTERS, st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_change_the_id(content: Any, random: Any) -> None:
    form = form_of(content)
    shuffled = form_of(_shuffled(content, random))
    assert form.room_id("i", "c") == shuffled.room_id("i", "c")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FILTERS, min_size=1, max_size=12), st.data())
def test_the_index_finds_what_plain_evaluation_finds(contents: list[Any], data: Any) -> None:
    index: Index[int] = Index()
    kept = {}
    for number, content in enumerate(contents):
        index.add(number, form_of(content))
        kept[number] = parse(content, LIMITS)
    for number in data.draw(st.sets(st.sampled_from(range(len(contents))))):
        index.remove(number)
        del kept[number]
    assert len(index) == len(kept)
    for document in data.draw(st.lists(DOCUMENTS, min_size=1, max_size=6)):
        assert set(index.match(document)) == {
            number for number, expression in kept.items() if matches(expression, document)
        }


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILTERS)
def test_what_has_come_and_gone_leaves_nothing(content: Any) -> None:
    index: Index[str] = Index()
    index.add("one", form_of(content))
    index.remove("one")
    for part in ("_entries", "_fields", "_unconditional", "_unplaced"):
        assert not getattr(index, part)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(SCALARS, lambda part: st.lists(part) | st.dictionaries(TEXTS, part)))
def test_anything_is_read_or_refused(content: Any) -> None:
    try:
        parse(content, LIMITS)
    except RouterError as error:
        refused = error.id
    else:
        refused = "api.assert.koncorde_dsl_error"
    assert refused == "api.assert.koncorde_dsl_error"


def _shuffled(content: Any, random: Any) -> Any:
    if isinstance(content, list):
        return [_shuffled(each, random) for each in content]
    if not isinstance(content, dict):
        return content
    copy = {key: _shuffled(value, random) for key, value in content.items()}
    for key in ("and", "or", "must", "should", "must_not", "should_not", "in"):
        if isinstance(copy.get(key), list):
            random.shuffle(copy[key])
    return copy
