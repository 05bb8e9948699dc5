"""The one form that filters of the same meaning are brought to, and the id it gives a room."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from realtime.koncorde.conditions import (
    And,
    Condition,
    Exists,
    Expression,
    In,
    Match,
    Not,
    Or,
    Scalar,
    stable_json,
)
from realtime.koncorde.documents import ABSENT, identity
from realtime.koncorde.evaluate import Value, tester
from router.envelope import Json, JsonObject

# Kuzzle's own seed, so that equal filters have the ids that they have there.
_SEED: Final = b"^m&mOISKBvb1xpl1mRsrylaQXpjb&IJX"

# So many alternatives at most are searched for pairs that differ in one negation only.
_CONSENSUS: Final = 16


class Literal(msgspec.Struct, frozen=True, eq=False):
    """A condition or its negation. Equal ones have equal keys; `opposite` is that of the other."""

    condition: Condition
    negated: bool
    key: str
    opposite: str

    def to_json(self) -> JsonObject:
        """The condition's JSON with `not` beside it."""
        return {**self.condition.to_json(), "not": self.negated}

    def admits(self, value: Value) -> bool:
        """Whether a document whose field has this value meets the literal."""
        return tester(self.condition)(value) is not self.negated


Product: TypeAlias = tuple[Literal, ...]
"""Literals that must all be met, sorted by their keys."""


class TooComplexError(Exception):
    """A filter whose normal form has too many alternatives."""


class NormalForm(msgspec.Struct, frozen=True, eq=False):
    """Alternatives, of which one must be met: none is nothing, an empty one is everything."""

    products: tuple[Product, ...]

    def to_json(self) -> list[Json]:
        """The form as Koncorde writes it."""
        if not self.products:
            return [[{"nothing": True}]]
        return [
            [literal.to_json() for literal in product] or [{"everything": True}]
            for product in self.products
        ]

    def room_id(self, index: str, collection: str) -> str:
        """64 hex digits; equal for filters of equal form on one collection, on every node."""
        text = stable_json({"filter": self.to_json(), "index": f"{index}/{collection}"})
        return hmac.new(_SEED, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def normalise(expression: Expression, *, limit: int) -> NormalForm:
    """Bring a filter to its normal form.

    Args:
        limit: Alternatives that it may have, also on the way.

    Raises:
        TooComplexError: It has more.
    """
    products = _alternatives(expression, negated=False, limit=limit)
    if len(products) <= _CONSENSUS:
        products = _with_consensus(products)
    merged = _merged(_absorbed(products))
    return NormalForm(tuple(sorted(merged, key=_keys)))


# -- alternatives ---------------------------------------------------------------------------


def _alternatives(expression: Expression, *, negated: bool, limit: int) -> list[Product]:
    if isinstance(expression, Not):
        return _alternatives(expression.part, negated=not negated, limit=limit)
    if not isinstance(expression, (And, Or)):
        return list(_one(_literal(expression, negated=negated)))
    parts = (_alternatives(part, negated=negated, limit=limit) for part in expression.parts)
    if isinstance(expression, And) is negated:
        return _united(parts, limit)
    return _crossed(parts, limit)


def _united(parts: Iterable[list[Product]], limit: int) -> list[Product]:
    found: list[Product] = []
    for part in parts:
        found += part
    found = _merged(_distinct(found))
    _check(len(found), limit)
    return found


def _crossed(parts: Iterable[list[Product]], limit: int) -> list[Product]:
    # What has no alternatives is taken together first, so that it is gone through once.
    common: list[Literal] = []
    several: list[list[Product]] = []
    for part in parts:
        if len(part) == 1:
            common += part[0]
        else:
            several.append(part)
    first = _product(common)
    found = [] if first is None else [first]
    for part in sorted(several, key=len):
        _check(len(found) * len(part), limit)
        both = (_product((*one, *other)) for one in found for other in part)
        found = _distinct(product for product in both if product is not None)
    return found


def _check(count: int, limit: int) -> None:
    if count > limit:
        raise TooComplexError


def _one(literal: Literal) -> Iterator[Product]:
    product = _product((literal,))
    if product is not None:
        yield product


def _literal(condition: Condition, *, negated: bool) -> Literal:
    text = stable_json(condition.to_json())
    signs = "-+" if negated else "+-"
    return Literal(condition, negated, text + signs[0], text + signs[1])


# -- one alternative ------------------------------------------------------------------------


def _product(literals: Iterable[Literal]) -> Product | None:
    """The literals without those that the others imply; None if they contradict each other."""
    by_key = {literal.key: literal for literal in literals}
    if any(literal.opposite in by_key for literal in by_key.values()):
        return None
    kept: list[Literal] = []
    for field, group in _by_field(by_key.values()).items():
        simpler = group if field is None else _simplified(field, group)
        if simpler is None:
            return None
        kept += simpler
    return tuple(sorted(kept, key=lambda literal: literal.key))


def _by_field(literals: Iterable[Literal]) -> dict[str | None, list[Literal]]:
    groups: dict[str | None, list[Literal]] = {}
    for literal in literals:
        condition = literal.condition
        field = None if isinstance(condition, Match) else condition.field
        groups.setdefault(field, []).append(literal)
    return groups


def _simplified(field: str, literals: list[Literal]) -> list[Literal] | None:
    """What is asked of one field, in fewer literals; None if no value meets them all."""
    equal = [each for each in literals if isinstance(each.condition, In) and not each.negated]
    if equal:
        return _only(field, equal[0], literals)
    absent = [each for each in literals if isinstance(each.condition, Exists) and each.negated]
    if absent:
        return absent[:1] if all(each.admits(ABSENT) for each in literals) else None
    return _one_exclusion(field, literals)


def _only(field: str, chosen: Literal, literals: list[Literal]) -> list[Literal] | None:
    assert isinstance(chosen.condition, In)
    values = [
        value
        for value in chosen.condition.values
        if all(each.admits(value) for each in literals if each is not chosen)
    ]
    return [_in(field, values, negated=False)] if values else None


def _one_exclusion(field: str, literals: list[Literal]) -> list[Literal]:
    excluded: list[Scalar] = []
    others: list[Literal] = []
    for each in literals:
        if isinstance(each.condition, In):
            excluded += each.condition.values
        else:
            others.append(each)
    return [*others, _in(field, excluded, negated=True)] if excluded else others


def _in(field: str, values: Iterable[Scalar], *, negated: bool) -> Literal:
    return _literal(In(field, in_order(values)), negated=negated)


def in_order(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """Distinct values in one order, whatever order they came in."""
    distinct = {identity(value): value for value in values}
    return tuple(sorted(distinct.values(), key=stable_json))


# -- all alternatives -----------------------------------------------------------------------


def _keys(product: Product) -> tuple[str, ...]:
    return tuple(literal.key for literal in product)


def _distinct(products: Iterable[Product]) -> list[Product]:
    return list({_keys(product): product for product in products}.values())


def _absorbed(products: Iterable[Product]) -> list[Product]:
    """The alternatives without those that another one contains."""
    kept: list[tuple[frozenset[str], Product]] = []
    for product in sorted(_distinct(products), key=len):
        keys = frozenset(_keys(product))
        if not any(fewer <= keys for fewer, _ in kept):
            kept.append((keys, product))
    return [product for _, product in kept]


def _merged(products: list[Product]) -> list[Product]:
    """Alternatives that differ only in the values of one field, as one alternative."""
    products = sorted(products, key=_keys)
    while True:
        fewer = _merged_once(products)
        if len(fewer) == len(products):
            return fewer
        products = sorted(fewer, key=_keys)


def _merged_once(products: list[Product]) -> list[Product]:
    left = {_keys(product): product for product in products}
    places: dict[tuple[str, tuple[str, ...]], Product] = {}
    for product in products:
        for literal in product:
            condition = literal.condition
            if literal.negated or not isinstance(condition, In):
                continue
            rest = tuple(each for each in product if each is not literal)
            place = (condition.field, _keys(rest))
            other = places.setdefault(place, product)
            if other is product or _keys(other) not in left:
                places[place] = product
                continue
            del left[_keys(other)]
            del left[_keys(product)]
            values = (*_values(other, condition.field), *condition.values)
            union = _product((*rest, _in(condition.field, values, negated=False)))
            assert union is not None
            left[_keys(union)] = places[place] = union
            break
    return list(left.values())


def _values(product: Product, field: str) -> tuple[Scalar, ...]:
    return next(
        literal.condition.values
        for literal in product
        if isinstance(literal.condition, In)
        and not literal.negated
        and literal.condition.field == field
    )


def _with_consensus(products: list[Product]) -> list[Product]:
    """With what two alternatives say together that differ in the negation of one literal."""
    products = _absorbed(products)
    while len(products) <= _CONSENSUS:
        more = _absorbed([*products, *_consensus(products)])
        if {_keys(each) for each in more} == {_keys(each) for each in products}:
            return products
        products = more
    return products


def _consensus(products: list[Product]) -> Iterator[Product]:
    for one in products:
        for other in products:
            keys = set(_keys(other))
            opposed = [literal for literal in one if literal.opposite in keys]
            if len(opposed) != 1:
                continue
            gone = {opposed[0].key, opposed[0].opposite}
            joined = _product(each for each in (*one, *other) if each.key not in gone)
            if joined is not None:
                yield joined
