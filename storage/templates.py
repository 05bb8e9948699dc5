"""Dynamic templates: what a mapping makes of fields that it doesn't know yet."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

import re2

from router.envelope import Json, JsonObject

CONDITIONS: Final = (
    *("match", "unmatch", "path_match", "path_unmatch", "match_mapping_type", "match_pattern"),
)
"""What may stand in a template beside its `mapping`."""

# What a new field was taken for, in the words of templates (OpenSearch, "Dynamic templates").
_KINDS: Final = {"text": "string", "float": "double"}


def templated(templates: Json, path: tuple[str, ...], definition: JsonObject) -> JsonObject:
    """The definition of a new field as the first template that fits says, or as it was inferred;
    the fields of an object likewise.

    Args:
        templates: `[{name: {mapping, conditions…}}]`, as a mapping holds them.
        path: Of the field.
        definition: As `storage.inference.infer` gives it.

    Source: OpenSearch, "Dynamic templates".
    """
    if not isinstance(templates, list):
        return definition
    mapping = _mapping(templates, path, definition)
    if definition["type"] != "object":
        return definition if mapping is None else {"type": definition["type"], **mapping}
    found = definition if mapping is None else {"type": "object", **mapping}
    is_open = found["type"] in ("object", "nested") and found.get("enabled", True) is True
    properties = definition.get("properties")
    if not is_open or "dynamic" in found or not isinstance(properties, dict):
        return found
    inner: JsonObject = {
        name: templated(templates, (*path, name), child)
        for name, child in properties.items()
        if isinstance(child, dict)
    }
    return {**found, "properties": inner}


def filled(value: Json, name: str, kind: str) -> Json:
    """A template's mapping with its placeholders `{name}` and `{dynamic_type}` filled."""
    if isinstance(value, str):
        return value.replace("{name}", name).replace("{dynamic_type}", kind)
    if isinstance(value, list):
        return [filled(item, name, kind) for item in value]
    if isinstance(value, dict):
        return {
            str(filled(key, name, kind)): filled(item, name, kind) for key, item in value.items()
        }
    return value


def _mapping(
    templates: list[Json], path: tuple[str, ...], definition: JsonObject
) -> JsonObject | None:
    kind = str(definition["type"])
    for named in templates:
        for template in named.values() if isinstance(named, dict) else ():
            if isinstance(template, dict) and _fits(template, path, _KINDS.get(kind, kind)):
                mapping = filled(template.get("mapping"), path[-1], kind)
                return mapping if isinstance(mapping, dict) else {}
    return None


def _fits(template: JsonObject, path: tuple[str, ...], kind: str) -> bool:
    is_regex = template.get("match_pattern") == "regex"
    name, whole = path[-1], ".".join(path)
    kinds = template.get("match_mapping_type", "*")
    return (
        (kinds == "*" or kind in (kinds if isinstance(kinds, list) else [kinds]))
        and _matches(template.get("match", "*"), name, is_regex=is_regex and "match" in template)
        and not _matches(template.get("unmatch", []), name, is_regex=is_regex)
        and _matches(template.get("path_match", "*"), whole)
        and not _matches(template.get("path_unmatch", []), whole)
    )


def _matches(patterns: Json, text: str, *, is_regex: bool = False) -> bool:
    given = patterns if isinstance(patterns, list) else [patterns]
    texts = [str(pattern) for pattern in given]
    if is_regex:
        return any(re2.fullmatch(pattern, text) for pattern in texts)
    return any(_like(pattern, text) for pattern in texts)


def _like(pattern: str, text: str) -> bool:
    # Only the star is special; fnmatch knows of more.
    return fnmatchcase(text, re.sub(r"([?\[])", r"[\1]", pattern))
