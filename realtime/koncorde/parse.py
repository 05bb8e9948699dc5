"""Reads a filter: its operators here, its clauses in `clauses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from realtime.koncorde.clauses import CLAUSES
from realtime.koncorde.conditions import And, Contains, Expression, In, Match, Not, Or, Select
from realtime.koncorde.documents import as_number
from realtime.koncorde.faults import at, fault, non_empty, object_at, text_at, value_at
from realtime.koncorde.normal import NormalForm, TooComplexError, normalise
from router.envelope import Json, JsonObject
from router.settings import RealtimeSettings

KEYWORDS: Final = frozenset({*CLAUSES, "and", "bool", "not", "or", "select"})
"""All clauses and operators."""

_BOOL: Final = ("must", "must_not", "should", "should_not")


class FilterLimits(NamedTuple):
    """How much one filter may hold.

    Attributes:
        conditions: Conditions, each value of `in` and `ids` counted, and alternatives of its
            normal form.
        depth: Operators within each other, and levels of what `match` looks for.
    """

    conditions: int = 100
    depth: int = 32

    @classmethod
    def of(cls, settings: RealtimeSettings) -> FilterLimits:
        """Those of filters that are subscribed to."""
        return cls(settings.filter_conditions, settings.filter_depth)


def parse(
    content: Json, limits: FilterLimits, *, admit: Callable[[str], None] | None = None
) -> Expression:
    """Read a filter; an empty one is everything.

    Args:
        admit: Called with each keyword; raises for one that isn't wanted.

    Raises:
        RouterError: `api.assert.koncorde_dsl_error`, with the path of what is wrong.
    """
    return _Parsing(limits, admit or _admit_all).expression(content, "", 0)


def normal_form(content: Json, limits: FilterLimits) -> NormalForm:
    """Read a filter and bring it to its normal form.

    Raises:
        RouterError: `api.assert.koncorde_dsl_error`, also for one that is too complex.
    """
    return _normal(parse(content, limits), limits)


def _normal(expression: Expression, limits: FilterLimits) -> NormalForm:
    try:
        return normalise(expression, limit=limits.conditions)
    except TooComplexError:
        raise fault("", _too_complex(limits)) from None


def _too_complex(limits: FilterLimits) -> str:
    return (
        "Filter too complex: exceeds the configured maximum number of conditions "
        f"(max: {limits.conditions})"
    )


class _Parsing:
    """One filter that is being read, and what it may still hold."""

    def __init__(self, limits: FilterLimits, admit: Callable[[str], None]) -> None:
        self._limits = limits
        self._admit = admit
        self._left = limits.conditions

    def expression(self, content: Json, path: str, depth: int) -> Expression:
        """What the filter at the path says."""
        if depth > self._limits.depth:
            raise fault(path, f"nested more than {self._limits.depth} deep")
        given = object_at(content, path) if content is not None else {}
        if not given:
            return And()
        if len(given) > 1:
            raise fault(path, "Invalid filter syntax. Filters must have one keyword only")
        keyword, value = next(iter(given.items()))
        self._admit(keyword)
        path = at(path, keyword)
        operator = _OPERATORS.get(keyword)
        if operator is not None:
            return operator(self, value, path, depth + 1)
        clause = CLAUSES.get(keyword)
        if clause is None:
            raise fault(path, "unknown keyword")
        return self._counted(clause(value, path), path)

    def _counted(self, read: Expression, path: str) -> Expression:
        condition = read.part if isinstance(read, Not) else read
        self._left -= len(condition.values) if isinstance(condition, In) else 1
        if self._left < 0:
            raise fault("", _too_complex(self._limits))
        if isinstance(condition, Match):
            self._check_depth(condition.content, path)
        elif isinstance(condition, Contains):
            self._check_depth({"": condition.value}, path)
        return read

    def _check_depth(self, content: JsonObject, path: str) -> None:
        level: list[Json] = [content]
        for _ in range(self._limits.depth):
            level = [below for value in level for below in _within(value)]
            if not level:
                return
        raise fault(path, f"nested more than {self._limits.depth} deep")

    # -- operators ----------------------------------------------------------------------

    def and_(self, value: Json, path: str, depth: int) -> Expression:
        """All of an array of filters."""
        return And(self._parts(value, path, depth))

    def or_(self, value: Json, path: str, depth: int) -> Expression:
        """One at least of an array of filters."""
        return Or(self._parts(value, path, depth))

    def not_(self, value: Json, path: str, depth: int) -> Expression:
        """What a filter doesn't match."""
        return Not(self.expression(object_at(value, path, exactly=1), path, depth))

    def bool_(self, value: Json, path: str, depth: int) -> Expression:
        """All of `must`, none of `must_not`, one of `should`, not all of `should_not`."""
        given = non_empty(object_at(value, path, allowed=_BOOL), path)
        parts: list[Expression] = []
        for name, build in _BUILDERS.items():
            if name in given:
                parts.append(build(self._parts(given[name], at(path, name), depth)))
        return And(tuple(parts))

    def select(self, value: Json, path: str, depth: int) -> Expression:
        """A filter on one element of an array."""
        given = object_at(value, path, required=("field", "index", "query"), exactly=3)
        position = as_number(given["index"])
        if position is None:
            raise fault(at(path, "index"), "must be an integer")
        if not position.is_integer():
            raise fault(at(path, "index"), "cannot have decimals, must be an integer")
        field = text_at(given, "field", path)
        path = at(path, "query")
        query = self.expression(non_empty(object_at(given["query"], path), path), path, depth)
        return Select(field, int(position), _normal(query, self._limits))

    def _parts(self, value: Json, path: str, depth: int) -> tuple[Expression, ...]:
        contents: list[Json] = value_at(value, list, path, "must be an array")
        if not contents:
            raise fault(path, "cannot be empty")
        if not all(isinstance(content, dict) and content for content in contents):
            raise fault(path, "can only contain non-empty objects")
        return tuple(
            self.expression(content, f"{path}[{number}]", depth)
            for number, content in enumerate(contents)
        )


def _admit_all(_keyword: str) -> None:
    """Every keyword is wanted."""


def _within(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _none_of(parts: tuple[Expression, ...]) -> Expression:
    return Not(Or(parts))


def _not_all_of(parts: tuple[Expression, ...]) -> Expression:
    return Not(And(parts))


_BUILDERS: Final[dict[str, Callable[[tuple[Expression, ...]], Expression]]] = {
    "must": And,
    "must_not": _none_of,
    "should": Or,
    "should_not": _not_all_of,
}

_Operator = Callable[[_Parsing, Json, str, int], Expression]

_OPERATORS: Final[dict[str, _Operator]] = {
    "and": _Parsing.and_,
    "bool": _Parsing.bool_,
    "not": _Parsing.not_,
    "or": _Parsing.or_,
    "select": _Parsing.select,
}
