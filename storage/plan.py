"""A mapping compiled for speed: one walk over a document checks it and gives its index rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.fields import FIELD_TYPES, Kind, ReadValue, Value
from storage.stamps import packed

Row: TypeAlias = tuple[str, Kind, Value]
"""One index row of a document: the path of a mapped field, how it compares, one value of it."""

_LONGEST_TOLD: Final = 100
_NOTHING: Final[JsonObject] = {}
"""Stands, by identity, for a key that isn't there."""

_MANY: Final = (dict, list)

Frame: TypeAlias = Literal["document", "object"]
"""What fields belong to: the document, or one of the nested objects."""


@dataclass(slots=True)
class Leaf:
    """A field with values. `kind` is None where nothing is indexed (binary, `index` false,
    within a nested object); `is_hidden` says that it is for the latter reason."""

    path: str
    type: str
    kind: Kind | None
    read: ReadValue
    null: Value | None = None
    is_forgiving: bool = False
    is_hidden: bool = False
    format: str = ""
    analyzer: str = ""
    subs: tuple[Leaf, ...] = ()


@dataclass(slots=True)
class Branch:
    """An object: its fields by name, and what becomes of unknown ones.

    `is_indexed` is False inside nested objects, which the queries of their parent don't see.
    `nested` is the declaration of nested objects, each of which is an index row: itself, as JSON.
    """

    path: tuple[str, ...]
    dynamic: str
    is_indexed: bool = True
    is_enabled: bool = True
    children: dict[str, Leaf | Branch] = field(default_factory=dict)
    nested: JsonObject | None = None


@dataclass(slots=True)
class Walk:
    """What one walk over a document found.

    Attributes:
        rows: In the order of the document; may hold a row twice if `has_lists`.
        unknown: Fields that a `dynamic` true object doesn't know yet: its path, name, value.
        is_strict: Whether a value against its type is an error; else it is passed over.
    """

    index: str
    collection: str
    is_strict: bool = True
    rows: list[Row] = field(default_factory=list)
    unknown: list[tuple[tuple[str, ...], str, Json]] = field(default_factory=list)
    has_lists: bool = False


class Moved(NamedTuple):
    """Index rows that a document loses and gains."""

    gone: list[Row]
    new: list[Row]


def compile_branch(
    form: JsonObject,
    path: tuple[str, ...] = (),
    dynamic: str = "false",
    is_indexed: bool = True,
    frame: Frame = "document",
) -> Branch:
    """The plan of a mapping as `storage.declared.declare` gives it; `dynamic` is inherited.

    With `frame` "object" it is that of nested objects at the path, whose fields are indexed.
    """
    own = form.get("dynamic")
    branch = Branch(
        path,
        own if isinstance(own, str) else dynamic,
        is_indexed,
        form.get("enabled") is not False,
        nested=form if form.get("type") == "nested" else None,
    )
    properties = form["properties"]
    for name, child in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(child, dict):
            continue
        inner = (*path, name)
        branch.children[name] = (
            compile_branch(child, inner, branch.dynamic, _sees(branch, child, frame), frame)
            if "properties" in child
            else _compile_leaf(child, ".".join(inner), is_indexed)
        )
    return branch


def _sees(parent: Branch, form: JsonObject, frame: Frame) -> bool:
    """Whether what holds an object sees its fields as its own."""
    if form.get("type") != "nested":
        return parent.is_indexed
    is_included = form.get("include_in_root") is True and frame == "document"
    return is_included or (form.get("include_in_parent") is True and parent.is_indexed)


def _compile_leaf(form: JsonObject, path: str, is_indexed: bool) -> Leaf:
    name = str(form["type"])
    kind, make, _ = FIELD_TYPES[name]
    read = make(form)
    null = form.get("null_value")
    subs = form.get("fields")
    return Leaf(
        path,
        name,
        kind if is_indexed and form.get("index") is not False else None,
        read,
        None if null is None else read(null),
        form.get("ignore_malformed") is True,
        not is_indexed,
        str(form.get("format") or ""),
        str(form.get("search_analyzer") or form.get("analyzer") or ""),
        tuple(
            _compile_leaf(sub, f"{path}.{sub_name}", is_indexed)
            for sub_name, sub in (subs.items() if isinstance(subs, dict) else ())
            if isinstance(sub, dict)
        ),
    )


def walk(branch: Branch, source: JsonObject, found: Walk) -> None:  # noqa: C901 - see below
    """Check an object against its branch and collect its rows into `found`.

    Raises:
        RouterError: `services.storage.strict_mapping_rejection`,
            `services.storage.unexpected_bad_request`; only if `found.is_strict`.
    """
    # One function, since every write passes here: a call for each field costs a tenth more.
    children = branch.children
    rows = found.rows
    for key, value in source.items():
        child = children.get(key)
        if child is None:
            if branch.dynamic != "false" or "." in key:
                _walk_unknown(branch, key, value, found)
        elif isinstance(child, Branch):
            if value is not None and child.is_enabled:
                _walk_object(child, value, found)
        elif value is None:
            if child.null is not None and child.kind is not None:
                rows.append((child.path, child.kind, child.null))
        elif type(value) is list or child.subs:
            _walk_values(child, value, found)
        else:
            try:
                read = child.read(value)
            except (ValueError, ArithmeticError):
                _mismatch(child, value, found)
            else:
                if read is not None and child.kind is not None:
                    rows.append((child.path, child.kind, read))


def apart(
    branch: Branch, before: JsonObject, after: JsonObject
) -> tuple[JsonObject, JsonObject] | None:
    """The parts in which two contents of a document differ, as far as they don't share objects.

    What a merge left alone is the same object in both and is passed over, so that an update of
    one field doesn't cost a walk over the whole document. None where a dotted key (`{"a.b": 1}`
    beside `{"a": {"b": 1}}`) may lead to one field in two ways: then nothing can be left out.
    """
    was: JsonObject = {}
    now: JsonObject = {}
    for key, value in after.items():
        if "." in key:
            return None
        old = before.get(key, _NOTHING)
        if old is value:
            continue
        child = branch.children.get(key)
        is_apart = type(child) is Branch and child.nested is None
        if is_apart and type(old) is dict and type(value) is dict:
            assert isinstance(child, Branch)
            inner = apart(child, old, value)
            if inner is None:
                return None
            was[key], now[key] = inner
            continue
        now[key] = value
        if old is not _NOTHING:
            was[key] = old
    for key in before.keys() - after.keys():
        if "." in key:
            return None
        was[key] = before[key]
    return was, now


def follow(branch: Branch, merged: tuple[JsonObject, JsonObject, JsonObject], found: Moved) -> bool:
    """Collect what rows a merge takes out and puts in, along what it touched alone; False where
    that takes more than plain values of known fields: then `apart` and `walk` tell.

    Args:
        merged: The content before, that after, and the changes that were merged.
    """
    before, after, changes = merged
    if "." in "".join(after):  # may be a second way to a field
        return False
    for key in changes:
        old, value = before.get(key, _NOTHING), after[key]
        if old is value:
            continue
        if old is _NOTHING:  # a null, too, is read where there was nothing
            old = None
        child = branch.children.get(key)
        if type(child) is Leaf:
            if not _follow_leaf(child, old, value, found):
                return False
        elif child is None:
            if branch.dynamic != "false":
                return False
        elif not _follow_branch(child, (old, value, changes[key]), found):
            return False
    return True


def _follow_branch(branch: Branch | Leaf, merged: tuple[Json, Json, Json], found: Moved) -> bool:
    before, after, changes = merged
    return (
        type(branch) is Branch
        and branch.nested is None
        and branch.is_enabled
        and type(before) is dict
        and type(after) is dict
        and type(changes) is dict
        and follow(branch, (before, after, changes), found)
    )


def _follow_leaf(leaf: Leaf, old: Json, value: Json, found: Moved) -> bool:
    if leaf.subs or leaf.null is not None or type(old) in _MANY or type(value) in _MANY:
        return False
    try:
        new = None if value is None else leaf.read(value)
    except (ValueError, ArithmeticError):
        return False
    try:
        gone = None if old is None else leaf.read(old)
    except (ValueError, ArithmeticError):  # older than its field
        gone = None
    if leaf.kind is not None and gone != new:
        if gone is not None:
            found.gone.append((leaf.path, leaf.kind, gone))
        if new is not None:
            found.new.append((leaf.path, leaf.kind, new))
    return True


def _walk_object(branch: Branch, value: Json, found: Walk) -> None:
    if isinstance(value, dict):
        walk(branch, value, found)
        if branch.nested is not None:
            found.rows.append((".".join(branch.path), "nested", packed(value).decode()))
    elif isinstance(value, list):
        found.has_lists = True
        for item in value:
            if item is not None:
                _walk_object(branch, item, found)
    elif found.is_strict:
        path = ".".join(branch.path)
        raise _bad_request(f'The field "{path}" is an object; {_told(value)} is none.')


def _walk_values(leaf: Leaf, value: Json, found: Walk) -> None:
    """All values of an array, at any depth, and those of the sub-fields."""
    if isinstance(value, list) and not (leaf.type == "geo_point" and _is_pair(value)):
        found.has_lists = True
        for item in value:
            _walk_values(leaf, item, found)
        return
    for each in (leaf, *leaf.subs):
        try:
            read = each.null if value is None else each.read(value)
        except (ValueError, ArithmeticError):
            _mismatch(each, value, found)
        else:
            if read is not None and each.kind is not None:
                found.rows.append((each.path, each.kind, read))


def _walk_unknown(branch: Branch, key: str, value: Json, found: Walk) -> None:
    head, dot, rest = key.partition(".")
    if dot and head and rest and not rest.startswith(".") and not rest.endswith("."):
        # A dotted key is a path, as in a mapping: {"a.b": 1} holds a.b.
        if head in branch.children or branch.dynamic != "false":
            walk(branch, {head: {rest: value}}, found)
    elif branch.dynamic == "true":
        if not head or dot:
            if found.is_strict:
                raise _bad_request(f"{_told(key)} can't name a field.")
        else:
            found.unknown.append((branch.path, key, value))
    elif branch.dynamic == "strict" and found.is_strict:
        raise RouterError(
            "services.storage.strict_mapping_rejection", key, found.index, found.collection
        )


def _is_pair(value: list[Json]) -> bool:
    return len(value) in (2, 3) and not isinstance(value[0], (list, dict, str))


def _mismatch(leaf: Leaf, value: Json, found: Walk) -> None:
    if found.is_strict and not leaf.is_forgiving:
        raise _bad_request(
            f'The field "{leaf.path}" is of type {leaf.type}, which {_told(value)} doesn\'t fit.'
        )


def _told(value: Json) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


def _bad_request(sentence: str) -> RouterError:
    return RouterError("services.storage.unexpected_bad_request", sentence)
