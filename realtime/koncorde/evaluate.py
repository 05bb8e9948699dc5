"""Whether a document matches: conditions as tests, whole filters in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from realtime.koncorde.conditions import (
    And,
    Box,
    Condition,
    Contains,
    Exists,
    Expression,
    In,
    Match,
    Not,
    Or,
    Polygon,
    Range,
    Regexp,
    Ring,
    Select,
    Shape,
)
from realtime.koncorde.documents import ABSENT, as_number, find, identity
from realtime.koncorde.patterns import compiled
from realtime.koncorde.shapes import read_place, within
from router.envelope import Json, JsonObject

if TYPE_CHECKING:
    from realtime.koncorde.normal import Literal, NormalForm

Value: TypeAlias = "Json | msgspec.UnsetType"
Test: TypeAlias = Callable[[Value], bool]


def matches(expression: Expression, document: JsonObject) -> bool:
    """Whether the document matches the filter."""
    if isinstance(expression, And):
        return all(matches(part, document) for part in expression.parts)
    if isinstance(expression, Or):
        return any(matches(part, document) for part in expression.parts)
    if isinstance(expression, Not):
        return not matches(expression.part, document)
    return holds(expression, document)


def holds(condition: Condition, document: JsonObject) -> bool:
    """Whether the document meets one condition."""
    value: Value = document
    if not isinstance(condition, Match):
        value = find(document, condition.field)
    return tester(condition)(value)


def tester(condition: Condition) -> Test:
    """A test of the value of the condition's field; of the whole document for `Match`."""
    return _TESTS[type(condition)](condition)


def form_tester(form: NormalForm) -> Callable[[JsonObject], bool]:
    """A test whether a document meets one of the form's alternatives."""
    products = [[guard_of(literal) for literal in product] for product in form.products]

    def test(document: JsonObject) -> bool:
        return any(all(guard(document) for guard in guards) for guards in products)

    return test


def guard_of(literal: Literal) -> Callable[[JsonObject], bool]:
    """A test whether a document meets the literal."""
    condition, negated = literal.condition, literal.negated
    test = tester(condition)
    if isinstance(condition, Match):
        return lambda document: test(document) is not negated
    field = condition.field
    return lambda document: test(find(document, field)) is not negated


def _test_in(condition: In) -> Test:
    wanted = frozenset(identity(value) for value in condition.values)

    def test(value: Value) -> bool:
        return not isinstance(value, (list, dict)) and identity_of(value) in wanted

    return test


def identity_of(value: Value) -> object:
    """What a value is looked up by; what is absent is equal to nothing."""
    return ABSENT if value is ABSENT else identity(value)


def _test_exists(_condition: Exists) -> Test:
    return lambda value: value is not ABSENT


def _test_contains(condition: Contains) -> Test:
    if isinstance(condition.value, (list, dict)):
        return lambda _value: False
    wanted = identity(condition.value)

    def test(value: Value) -> bool:
        return isinstance(value, list) and any(
            not isinstance(each, (list, dict)) and identity(each) == wanted for each in value
        )

    return test


def _test_range(condition: Range) -> Test:
    gt, gte, lt, lte = condition.gt, condition.gte, condition.lt, condition.lte

    def test(value: Value) -> bool:
        number = as_number(value)
        return (
            number is not None
            and (gt is None or number > gt)
            and (gte is None or number >= gte)
            and (lt is None or number < lt)
            and (lte is None or number <= lte)
        )

    return test


def _test_regexp(condition: Regexp) -> Test:
    search = compiled(condition.pattern, condition.flags)
    return lambda value: isinstance(value, str) and search(value) is not None


def _test_match(condition: Match) -> Test:
    content = condition.content

    def test(value: Value) -> bool:
        # Only the keys at the top may be paths.
        return isinstance(value, dict) and all(
            _holds_content(find(value, key), wanted) for key, wanted in content.items()
        )

    return test


def _holds_content(value: Value, wanted: Json) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            _holds_content(value.get(key, ABSENT), each) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and _holds_elements(value, wanted)
    return not isinstance(value, (list, dict)) and identity_of(value) == identity(wanted)


def _holds_elements(value: list[Json], wanted: list[Json]) -> bool:
    # Each element counts once, and the first that fits is taken, as in Koncorde.
    left = list(value)
    for each in wanted:
        place = next((n for n, element in enumerate(left) if _holds_content(element, each)), None)
        if place is None:
            return False
        del left[place]
    return True


def _test_select(condition: Select) -> Test:
    matches_query = form_tester(condition.query)
    position = condition.position

    def test(value: Value) -> bool:
        element = element_at(value, position)
        return not isinstance(element, msgspec.UnsetType) and matches_query({"value": element})

    return test


def element_at(value: Value, position: int) -> Value:
    """The element of an array, counted from its end if negative; ABSENT if there is none."""
    if not isinstance(value, list) or not -len(value) <= position < len(value):
        return ABSENT
    return value[position]


def _test_shape(condition: Shape) -> Test:
    test_place = within(condition)

    def test(value: Value) -> bool:
        place = None if value is ABSENT else read_place(value)
        return place is not None and test_place(place)

    return test


_TESTS: Final[dict[type, Callable[[Any], Test]]] = {
    In: _test_in,
    Exists: _test_exists,
    Contains: _test_contains,
    Range: _test_range,
    Regexp: _test_regexp,
    Match: _test_match,
    Select: _test_select,
    Box: _test_shape,
    Ring: _test_shape,
    Polygon: _test_shape,
}
