"""Whether a document meets its collection's specification, and where it doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from controllers.validation.specification import Field, Specification
from router.envelope import ABSENT, Json, JsonObject
from router.errors import RouterError
from storage.merge import copied
from storage.stamps import STAMP

_OWN: Final = frozenset({STAMP})


class Fault(NamedTuple):
    """What is wrong with a document: in the field of that path, or (no path) with all of it."""

    path: tuple[str, ...]
    message: str

    def as_error(self) -> RouterError:
        """The error that refuses the document."""
        if not self.path:
            return RouterError("validation.check.failed_document", self.message)
        return RouterError("validation.check.failed_field", ".".join(self.path), self.message)


def faults(specification: Specification, document: JsonObject, id: str | None) -> Iterator[Fault]:
    """Everything that is wrong with a document."""
    if specification.is_strict:
        for key in document.keys() - specification.fields.keys() - _OWN:
            yield Fault((), f'There is no field "{key}" in the specifications, which are strict.')
    yield from _children(specification.fields, document, ())
    if not specification.admits(document if id is None else {**document, "_id": id}):
        yield Fault((), "The document does not match the validating filters.")


def filled(specification: Specification, document: JsonObject) -> JsonObject:
    """The document with the defaults of the fields that it lacks; the very one if it lacks none."""
    return _filled(specification.fields, document)


def messages(found: list[Fault]) -> JsonObject:
    """The faults as `document:validate` tells them."""
    told: JsonObject = {}
    of_document: list[Json] = [fault.message for fault in found if not fault.path]
    if of_document:
        told["documentScope"] = of_document
    for fault in found:
        if fault.path:
            scope = _below(told, "fieldScope")
            for key in fault.path:
                scope = _below(_below(scope, "children"), key)
            cast("list[Json]", scope.setdefault("messages", [])).append(fault.message)
    return told


def _below(scope: JsonObject, key: str) -> JsonObject:
    return cast("JsonObject", scope.setdefault(key, {}))


def _children(
    fields: dict[str, Field], values: JsonObject, path: tuple[str, ...]
) -> Iterator[Fault]:
    for key, field in fields.items():
        yield from _field(field, values.get(key), (*path, key))


def _field(field: Field, value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
    if value is None:
        if field.is_mandatory:
            yield Fault(path, "is mandatory.")
        return
    if field.many is None:
        if isinstance(value, list) and not field.holds_arrays:
            yield Fault(path, "takes one value, not several.")
        else:
            yield from _value(field, value, path)
        return
    if not isinstance(value, list):
        yield Fault(path, "takes several values: an array.")
        return
    least, most = field.many
    if least is not None and len(value) < least:
        yield Fault(path, f"takes {least} values at least.")
    if most is not None and len(value) > most:
        yield Fault(path, f"takes {most} values at most.")
    for item in value:
        yield from _value(field, item, path)


def _value(field: Field, value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
    message = field.check(value)
    if message is not None:
        yield Fault(path, message)
    elif isinstance(value, dict) and field.type == "object":
        if field.is_strict:
            for key in value.keys() - field.children.keys():
                yield Fault(path, f'There is no field "{key}" in it, and it is strict.')
        yield from _children(field.children, value, path)


def _filled(fields: dict[str, Field], values: JsonObject) -> JsonObject:
    missing: JsonObject = {}
    for key, field in fields.items():
        value = values.get(key)
        if value is None and field.default is not ABSENT:
            missing.update(copied({key: cast("Json", field.default)}))
        elif field.children and isinstance(value, dict):
            inner = _filled(field.children, value)
            if inner is not value:
                missing[key] = inner
        elif field.children and isinstance(value, list):
            items: list[Json] = [
                _filled(field.children, item) if isinstance(item, dict) else item for item in value
            ]
            missing[key] = items
    return {**values, **missing} if missing else values
