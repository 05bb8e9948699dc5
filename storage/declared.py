"""Mappings as clients declare them: checked, brought into one form, merged with earlier ones."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

import re2

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.fields import FIELD_TYPES, FOREIGN_TYPES
from storage.merge import copied
from storage.templates import CONDITIONS, filled

MAX_FIELDS: Final = 10_000
"""Fields of one mapping, objects included. Elasticsearch's default of 1 000 is what fleets with
many models run into first."""

MAX_DEPTH: Final = 20
"""Objects within objects (`index.mapping.depth.limit`)."""

_ROOT_KEYS: Final = ("properties", "_meta", "dynamic", "dynamic_templates")
_OBJECT_KEYS: Final = (*_ROOT_KEYS, "type")
# Beside `properties` the peer refuses the last three. Here they are let pass: documents add fields
# to such objects, and what is stored then must be read again.
_INNER_KEYS: Final = (*_OBJECT_KEYS, "enabled", "include_in_parent", "include_in_root")
_DYNAMIC: Final = ("true", "false", "strict")
_RESERVED: Final = frozenset(
    (
        *("_id", "_index", "_source", "_routing", "_type", "_version", "_seq_no"),
        *("_field_names", "_ignored", "_nested_path"),
    )
)
# What may change once a field exists (OpenSearch, "Update mapping"). The rest is fixed.
_CHANGEABLE: Final = frozenset(
    (
        *("ignore_above", "coerce", "ignore_malformed", "meta", "boost"),
        *("search_analyzer", "eager_global_ordinals"),
    )
)


def declare(declared: JsonObject) -> JsonObject:
    """A client's mapping in this store's form: every object with its `properties`, dotted names
    unfolded, every `dynamic` a text. Shares nothing with the argument.

    Raises:
        RouterError: `services.storage.invalid_mapping` (unknown key, bad `dynamic`),
            `invalid_mapping_type`, `unexpected_properties`, `invalid_mapping_argument`,
            `unexpected_bad_request`; `trivium.unsupported.feature` for a type, format or option
            of the peer's that this store doesn't have.
    """
    form = _declare_object(declared, (), _ROOT_KEYS)
    form.pop("type")
    count_fields(form)
    return form


def unite(earlier: JsonObject, later: JsonObject, path: str = "") -> JsonObject:
    """The earlier mapping with the later one added; both as `declare` gives them, both kept.

    Raises:
        RouterError: `services.storage.cannot_change_mapping`, with the field's path.
    """
    united = {**earlier, **{key: later[key] for key in later if key != "properties"}}
    before, added = _object_of(earlier, "properties"), _object_of(later, "properties")
    properties = dict(before)
    for name, definition in added.items():
        field = f"{path}.{name}" if path else name
        if name in before:
            properties[name] = _unite_field(before[name], definition, field)
        else:
            properties[name] = definition
    united["properties"] = properties
    return united


def count_fields(form: JsonObject, depth: int = 0) -> int:
    """How many fields a declared mapping has.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` beyond the limits above.
    """
    if depth > MAX_DEPTH:
        raise _refused(f"A mapping nests at most {MAX_DEPTH} objects.")
    properties, fields = _object_of(form, "properties"), _object_of(form, "fields")
    count = len(fields)
    for child in properties.values():
        count += 1 + count_fields(_sure(child), depth + 1)
    if count > MAX_FIELDS:
        raise _refused(f"A mapping holds at most {MAX_FIELDS} fields.")
    return count


def _declare_object(
    declared: JsonObject, path: tuple[str, ...], allowed: Sequence[str]
) -> JsonObject:
    for key in declared:
        if key not in allowed:
            raise _invalid((*path, key), _did_you_mean(key, allowed))
    form: JsonObject = {"type": declared.get("type", "object")}
    for key, check in _OBJECT_CHECKS.items():
        if key in declared:
            form[key] = check(declared[key], (*path, key))
    form["properties"] = {}
    if declared.get("properties") is not None:
        children = _object(declared["properties"], (*path, "properties"))
        for name, definition in children.items():
            _add_field(form, name, definition, path)
    return form


def _add_field(form: JsonObject, name: str, definition: Json, path: tuple[str, ...]) -> None:
    head, dot, rest = name.partition(".")
    if not head or (dot and not rest) or (not path and head in _RESERVED):
        raise _refused(f'"{".".join((*path, name))}" is no name for a field.')
    if len(path) > MAX_DEPTH:
        raise _refused(f"A mapping nests at most {MAX_DEPTH} objects.")
    child = (
        _declare_object({"properties": {rest: definition}}, (*path, head), _OBJECT_KEYS)
        if dot
        else _declare_field(_object(definition, (*path, name)), (*path, name))
    )
    properties = _object_of(form, "properties")
    if head in properties:
        child = _unite_field(properties[head], child, ".".join((*path, head)))
    properties[head] = child
    form["properties"] = properties


def _declare_field(definition: JsonObject, path: tuple[str, ...]) -> JsonObject:
    kind = definition.get("type")
    if "properties" in definition:
        return _declare_object(_typed(definition, path), path, _INNER_KEYS)
    if kind in ("object", "nested") or (kind is None and set(definition) == {"enabled"}):
        return _declare_object(definition, path, _INNER_KEYS)
    return _declare_leaf(definition, path)


def _typed(definition: JsonObject, path: tuple[str, ...]) -> JsonObject:
    kind = definition.get("type", "object")
    if kind not in ("object", "nested"):
        raise RouterError("services.storage.unexpected_properties", "properties", ".".join(path))
    return definition


def _declare_leaf(
    definition: JsonObject, path: tuple[str, ...], is_sub: bool = False
) -> JsonObject:
    name, field = definition.get("type"), ".".join(path)
    if name is None:
        raise _refused(f'The field "{field}" has no type.')
    if name in FOREIGN_TYPES or (is_sub and name in ("object", "nested")):
        raise RouterError("trivium.unsupported.feature", f'The type "{name}" of field "{field}"')
    if not isinstance(name, str) or name not in FIELD_TYPES:
        raise RouterError("services.storage.invalid_mapping_type", field, name)
    for option, value in definition.items():
        if option in ("type", "fields"):
            continue
        if option == "copy_to" or (option == "normalizer" and value != "lowercase"):
            raise RouterError("trivium.unsupported.feature", f'{option} of field "{field}"')
        if option not in FIELD_TYPES[name].options:
            raise RouterError("services.storage.unexpected_properties", option, field)
        _check_option(option, value, field)
    _check_leaf(name, definition, field)
    form = copied(definition)
    if definition.get("fields") is not None:
        form["fields"] = _declare_subs(definition, path, is_sub)
    return form


def _check_leaf(name: str, definition: JsonObject, field: str) -> None:
    if name == "scaled_float" and "scaling_factor" not in definition:
        raise _refused(f'The field "{field}" needs a scaling_factor.')
    try:
        read = FIELD_TYPES[name].make(definition)  # a format this store can't read is told here
        if definition.get("null_value") is not None:
            read(definition["null_value"])
    except ValueError:
        raise RouterError(
            "services.storage.invalid_mapping_argument", field, "null_value"
        ) from None


def _declare_subs(definition: JsonObject, path: tuple[str, ...], is_sub: bool) -> JsonObject:
    field = ".".join(path)
    subs = definition["fields"]
    if is_sub or not isinstance(subs, dict):
        raise RouterError("services.storage.invalid_mapping_argument", field, "fields")
    for name in subs:
        if not name or "." in name:
            raise _refused(f'"{field}.{name}" is no name for a field.')
    return {
        name: _declare_leaf(_object(sub, (*path, name)), (*path, name), is_sub=True)
        for name, sub in subs.items()
    }


def _unite_field(earlier: Json, later: Json, path: str) -> JsonObject:
    before, after = _sure(earlier), _sure(later)
    if before["type"] != after["type"]:
        raise RouterError("services.storage.cannot_change_mapping", path)
    if "properties" in before:
        return unite(before, after, path)
    for option in after:
        is_fixed = option not in _CHANGEABLE and option != "fields"
        if is_fixed and before.get(option, after[option]) != after[option]:
            raise RouterError("services.storage.cannot_change_mapping", path)
    united = {**before, **after}
    if "fields" in before and "fields" in after:
        subs = dict(_object_of(before, "fields"))
        for name, sub in _object_of(after, "fields").items():
            subs[name] = _unite_field(subs[name], sub, f"{path}.{name}") if name in subs else sub
        united["fields"] = subs
    return united


# -- single values ------------------------------------------------------------------------


def _is_dynamic(value: Json, path: tuple[str, ...]) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise _invalid(path, " Dynamic property value should be a string.")
    if value not in _DYNAMIC:
        allowed = '", "'.join(_DYNAMIC)
        raise _invalid(
            path, f' Incorrect dynamic property value ({value}). Should be one of "{allowed}"'
        )
    return value


def _is_flag(value: Json, path: tuple[str, ...]) -> Json:
    if value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise _invalid(path, " It is true or false.")
    return value


def _are_templates(value: Json, path: tuple[str, ...]) -> Json:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _invalid(path, " It is an array of objects.")
    for item in value:
        for name, template in _sure(item).items():
            _check_template(_object(template, (*path, name)), (*path, name))
    return copied({"": value})[""]


def _check_template(template: JsonObject, path: tuple[str, ...]) -> None:
    allowed = ("mapping", *CONDITIONS)
    for key in template:
        if key not in allowed:
            raise _invalid((*path, key), _did_you_mean(key, allowed))
    if template.get("match_pattern", "simple") not in ("simple", "regex"):
        raise _invalid((*path, "match_pattern"), " It is simple or regex.")
    if template.get("match_pattern") == "regex":
        for key in ("match", "unmatch"):
            _check_pattern(template.get(key), (*path, key))
    mapping = _object(template.get("mapping"), (*path, "mapping"))
    if "type" in mapping or "properties" in mapping:
        sample = filled(mapping, "name", "keyword")
        _declare_object({"properties": {"name": sample}}, (), _ROOT_KEYS)


def _check_pattern(value: Json, path: tuple[str, ...]) -> None:
    for pattern in value if isinstance(value, list) else [value]:
        try:
            re2.compile("" if pattern is None else str(pattern))
        except re2.error as error:
            raise _invalid(path, f" {error}") from None


def _object(value: Json, path: tuple[str, ...]) -> JsonObject:
    if not isinstance(value, dict):
        raise _invalid(path, " It is an object.")
    return value


def _copied_object(value: Json, path: tuple[str, ...]) -> Json:
    return copied(_object(value, path))


_OBJECT_CHECKS: Final[dict[str, Callable[[Json, tuple[str, ...]], Json]]] = {
    "dynamic": _is_dynamic,
    "_meta": _copied_object,
    "dynamic_templates": _are_templates,
    "enabled": _is_flag,
    "include_in_parent": _is_flag,
    "include_in_root": _is_flag,
}

_OPTION_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "ignore_above": (int,),
    "scaling_factor": (int, float),
    "format": (str,),
    "coerce": (bool,),
    "ignore_malformed": (bool,),
    "index": (bool,),
    "doc_values": (bool,),
    "store": (bool,),
}


def _check_option(option: str, value: Json, field: str) -> None:
    types = _OPTION_TYPES.get(option)
    if types is None:
        return
    is_number = int in types
    if type(value) not in types or (is_number and _amount(value) < 0):
        raise RouterError("services.storage.invalid_mapping_argument", field, option)
    if option == "scaling_factor" and value == 0:
        raise RouterError("services.storage.invalid_mapping_argument", field, option)


def _amount(value: Json) -> float:
    return value if isinstance(value, (int, float)) else 0


def _object_of(form: Json, key: str) -> JsonObject:
    value = form.get(key) if isinstance(form, dict) else None
    return value if isinstance(value, dict) else {}


def _sure(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _invalid(path: tuple[str, ...], sentence: str) -> RouterError:
    return RouterError("services.storage.invalid_mapping", ".".join(path), sentence)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f' Did you mean "{close[0]}"?' if close else ""


def _refused(sentence: str) -> RouterError:
    return RouterError("services.storage.unexpected_bad_request", sentence)
