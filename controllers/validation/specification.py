"""Specifications as clients write them, read into what documents are checked by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from controllers.validation.types import TYPES, Check, allow, wrong
from realtime.koncorde.conditions import Expression
from realtime.koncorde.evaluate import matches
from realtime.koncorde.parse import FilterLimits, parse
from router.envelope import ABSENT, Json, JsonObject
from router.errors import RouterError

_KEYS: Final = ("strict", "fields", "validators")
_FIELD_KEYS: Final = (
    *("type", "mandatory", "defaultValue", "description", "multivalued", "typeOptions"),
    *("children",),
)
_MANY_KEYS: Final = ("value", "minCount", "maxCount")
_DEEPEST: Final = 20
_LIMITS: Final = FilterLimits()


class Many(NamedTuple):
    """How many values a field with several takes; None: as many as one likes."""

    least: int | None
    most: int | None


class Field(msgspec.Struct, frozen=True):
    """What one field takes.

    Attributes:
        default: Goes into a new document that lacks the field; `ABSENT` for none.
        many: None for a field with one value.
        is_strict: Of an object: it takes no other children.
    """

    type: str
    check: Check
    is_mandatory: bool = False
    default: object = ABSENT
    many: Many | None = None
    is_strict: bool = False
    children: dict[str, Field] = msgspec.field(default_factory=dict)

    @property
    def holds_arrays(self) -> bool:
        """Whether one value of it may be an array."""
        return TYPES[self.type].holds_arrays


class Specification(msgspec.Struct, frozen=True):
    """What a collection asks of its documents."""

    is_strict: bool
    fields: dict[str, Field]
    filters: tuple[Expression, ...]

    def admits(self, document: JsonObject) -> bool:
        """Whether a document passes every filter."""
        return all(matches(each, document) for each in self.filters)


def read(content: JsonObject) -> tuple[Specification, list[RouterError]]:
    """The specification, and all that is wrong with it; it is only good if that is nothing."""
    faults: list[RouterError] = []
    try:
        allow(content, _KEYS, "specification")
        is_strict = _flag(content, "strict", "strict")
        tree = _tree(_object(content, "fields", "fields"))
    except RouterError as error:
        return Specification(False, {}, ()), [error]
    fields = dict(_fields(tree, "", 0, faults))
    return Specification(is_strict, fields, _filters(content, faults)), faults


def _tree(given: JsonObject) -> JsonObject:
    """The fields nested, whether they were sent so or by paths: `a/b` is the child `b` of `a`."""
    tree: JsonObject = {key: value for key, value in given.items() if "/" not in key}
    for path in sorted((key for key in given if "/" in key), key=lambda key: key.count("/")):
        *way, last = path.split("/")
        place = tree
        for step in way:
            parent = place.get(step)
            if not isinstance(parent, dict):
                raise RouterError("validation.assert.missing_parent", path)
            place[step] = parent = {**parent, "children": {**_object(parent, "children", path)}}
            children = parent["children"]
            assert isinstance(children, dict)
            place = children
        place[last] = given[path]
    return tree


def _fields(
    tree: JsonObject, prefix: str, depth: int, faults: list[RouterError]
) -> Iterator[tuple[str, Field]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        try:
            if depth > _DEEPEST:
                raise RouterError("validation.assert.missing_nested_spec")
            if not isinstance(value, dict):
                raise wrong(name, "object")
            found = _field(value, name)
            below = _object(value, "children", f"{name}.children")
            if below and found.type != "object":
                raise RouterError("validation.assert.unexpected_children", found.type)
        except RouterError as error:
            faults.append(error)
            continue
        found.children.update(_fields(below, f"{name}.", depth + 1, faults))
        yield key, found


def _field(given: JsonObject, name: str) -> Field:
    allow(given, _FIELD_KEYS, name)
    kind = given.get("type")
    if kind is None:
        raise RouterError("validation.assert.missing_type", name)
    if not isinstance(kind, str) or kind not in TYPES:
        raise RouterError("validation.assert.unknown_type", name, str(kind))
    options = _object(given, "typeOptions", f"{name}.typeOptions")
    return Field(
        type=kind,
        check=TYPES[kind].make(options, name),
        is_mandatory=_flag(given, "mandatory", f"{name}.mandatory"),
        default=given.get("defaultValue", ABSENT),
        many=_many(given, name),
        is_strict=options.get("strict") is True and kind == "object",
    )


def _many(given: JsonObject, name: str) -> Many | None:
    many = _object(given, "multivalued", f"{name}.multivalued")
    allow(many, _MANY_KEYS, f"{name}.multivalued")
    if many and "value" not in many:
        raise RouterError("validation.assert.missing_value", f"{name}.multivalued")
    is_many = _flag(many, "value", f"{name}.multivalued.value")
    counts = [_count(many, key, f"{name}.multivalued.{key}") for key in _MANY_KEYS[1:]]
    if not is_many:
        for key, count in zip(_MANY_KEYS[1:], counts, strict=True):
            if count is not None:
                raise RouterError("validation.assert.not_multivalued", name, key)
        return None
    least, most = counts
    if least is not None and most is not None and least > most:
        raise RouterError("validation.assert.invalid_range", f"{name}.multivalued", least, most)
    return Many(least, most)


def _filters(content: JsonObject, faults: list[RouterError]) -> tuple[Expression, ...]:
    given = content.get("validators")
    filters: list[Expression] = []
    if given is not None and not isinstance(given, list):
        faults.append(wrong("validators", "array of filters"))
        return ()
    for each in given or ():
        try:
            filters.append(parse(each, _LIMITS))
        except RouterError as error:
            faults.append(RouterError("validation.assert.invalid_filters", error.message))
    return tuple(filters)


def _object(given: JsonObject, key: str, name: str) -> JsonObject:
    value = given.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "object")
    return value


def _flag(given: JsonObject, key: str, name: str) -> bool:
    value: Json = given.get(key, False)
    if value in ("true", "false"):  # as the peer's documentation writes it
        return value == "true"
    if not isinstance(value, bool):
        raise wrong(name, "boolean")
    return value


def _count(given: JsonObject, key: str, name: str) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise wrong(name, "integer, zero or more")
    return value
