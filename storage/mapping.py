"""The mapping of one collection: its fields, what documents must look like, their index rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from router.envelope import Json, JsonObject
from storage.declared import count_fields, declare, unite
from storage.inference import infer
from storage.merge import copied
from storage.plan import Leaf, Moved, Row, Walk, apart, compile_branch, follow, walk
from storage.scope import Scope
from storage.stamps import STAMP, too_deep
from storage.templates import templated

# Every collection has it (Kuzzle reference, services.storageEngine.commonMapping).
_STAMP_FIELDS: Final[JsonObject] = {
    "author": {"type": "keyword"},
    "createdAt": {"type": "date"},
    "updater": {"type": "keyword"},
    "updatedAt": {"type": "date"},
}


class Reading(NamedTuple):
    """A document as its mapping reads it: its index rows, no two equal, in document order; and
    the mapping with the fields that the document added to it, None if it added none."""

    rows: list[Row]
    extended: Mapping | None


class Rereading(NamedTuple):
    """What the index of a document loses and gains by a new content, no two rows equal; and the
    mapping as in `Reading`."""

    gone: list[Row]
    new: list[Row]
    extended: Mapping | None


class Mapping:
    """An immutable mapping; what changes it gives a new one.

    Fields are named by dotted paths; sub-fields too (`model.text`).

    Attributes:
        scope: The fields that queries see.
    """

    __slots__ = ("_form", "_root", "collection", "index", "scope")

    def __init__(self, index: str, collection: str, form: JsonObject) -> None:
        """Use `parse`: `form` is taken as checked."""
        self.index = index
        self.collection = collection
        self._form = form
        self._root = compile_branch(form)
        self.scope = Scope(self._root)

    @classmethod
    def parse(cls, index: str, collection: str, declared: JsonObject | None = None) -> Mapping:
        """The mapping of a new collection as its creator declares it.

        Args:
            declared: `{properties?, dynamic?, _meta?, dynamic_templates?}`; None maps nothing.
                What `to_json` gave is read back as the same mapping.

        Raises:
            RouterError: As `storage.declared.declare`.
        """
        return cls(index, collection, _with_stamp(declare(_without_stamp(declared or {}))))

    def extended(self, declared: JsonObject) -> Mapping:
        """This mapping with a later declaration added; `self` when that adds nothing.

        Raises:
            RouterError: As `parse`, and `services.storage.cannot_change_mapping`.
        """
        form = unite(self._form, declare(_without_stamp(declared)))
        if form == self._form:
            return self
        count_fields(form)
        return Mapping(self.index, self.collection, form)

    def to_json(self, include_kuzzle_meta: bool = True) -> JsonObject:
        """`{dynamic, _meta, properties}`, and `dynamic_templates` if any were declared; a copy.

        Args:
            include_kuzzle_meta: Whether `_kuzzle_info` is among the properties.
        """
        shown = _shown(copied(self._form))
        properties = shown["properties"]
        if isinstance(properties, dict) and not include_kuzzle_meta:
            properties.pop(STAMP)
        head: JsonObject = {"dynamic": "false", "_meta": {}}
        return {**head, **shown}

    # -- documents ----------------------------------------------------------------------

    def read(self, source: JsonObject) -> Reading:
        """Check a document and give its rows, in one walk; `check` and `rows` are halves of it.

        Raises:
            RouterError: `services.storage.strict_mapping_rejection` (props: the key, index,
                collection); `services.storage.unexpected_bad_request` for a value that its
                field can't take.
        """
        found = Walk(self.index, self.collection)
        try:
            walk(self._root, source, found)
        except RecursionError:
            raise too_deep() from None
        extended = self._learn(found) if found.unknown else None
        if extended is not None:
            again = extended.read(source)
            return Reading(again.rows, again.extended or extended)
        return Reading(_unique(found), None)

    def reread(
        self, before: JsonObject, after: JsonObject, changes: JsonObject | None = None
    ) -> Rereading:
        """Check the new content of a document and tell what its rows lose and gain.

        Only what differs is looked at, so what was stored before a field was mapped, and doesn't
        fit it, stays as it is until it is written anew.

        Args:
            before: The stored content.
            after: The new content; what it shares with `before` (see `storage.merge`) is free.
            changes: What was merged into `before` to make `after`, the stamp included; None if
                that isn't how it was made. It saves looking for what differs.

        Raises:
            RouterError: As `read`.
        """
        moved = Moved([], [])
        if changes is not None and follow(self._root, (before, after, changes), moved):
            return Rereading(moved.gone, moved.new, None)
        was, now = apart(self._root, before, after) or (before, after)
        reading = self.read(now)
        gone, new = changed_rows(self.rows(was), reading.rows)
        return Rereading(gone, new, reading.extended)

    def check(self, source: JsonObject) -> Mapping | None:
        """Let a good document pass; the extended mapping if it has new fields (`dynamic` true).

        Raises:
            RouterError: As `read`.
        """
        return self.read(source).extended

    def rows(self, source: JsonObject) -> list[Row]:
        """The index rows of a stored document; what doesn't fit the mapping has none.

        Never raises: documents may be older than the fields they are indexed under.
        """
        found = Walk(self.index, self.collection, is_strict=False)
        walk(self._root, source, found)
        return _unique(found)

    def _learn(self, found: Walk) -> Mapping | None:
        values: dict[tuple[tuple[str, ...], str], list[Json]] = {}
        for path, key, value in found.unknown:
            values.setdefault((path, key), []).append(value)
        form = self._form
        for (path, key), seen in values.items():
            definition = infer(seen)
            if definition is not None:
                templates = self._form.get("dynamic_templates")
                definition = templated(templates, (*path, key), definition)
                form = unite(form, declare(_placed(self._form, path, {key: definition})))
        if form is self._form:
            return None
        count_fields(form)
        return Mapping(self.index, self.collection, form)

    # -- fields -------------------------------------------------------------------------

    def leaf(self, path: str) -> Leaf | None:
        """The field of that path, sub-fields included; None for objects and unmapped paths."""
        return self.scope.leaf(path)

    def has_values(self, path: str) -> bool:
        """Whether documents have index rows at that path that are values of theirs: those of
        nested objects aren't."""
        leaf = self.leaf(path)
        return leaf is not None and leaf.kind is not None


def changed_rows(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Which rows an index loses and gains when a document's rows change from one to the other."""
    gone, new = set(before), set(after)
    if gone == new:
        return [], []
    return [row for row in before if row not in new], [row for row in after if row not in gone]


def _unique(found: Walk) -> list[Row]:
    # Only arrays (and dotted keys beside objects, which a set of rows forgives) repeat a value.
    return list(dict.fromkeys(found.rows)) if found.has_lists else found.rows


def _placed(form: JsonObject, path: tuple[str, ...], added: JsonObject) -> JsonObject:
    """A declaration that adds fields to the object at `path`, which keeps its type."""
    if not path:
        return {"properties": added}
    properties = form["properties"]
    child = properties.get(path[0]) if isinstance(properties, dict) else None
    if not isinstance(child, dict):
        raise KeyError(path)
    return {"properties": {path[0]: {"type": child["type"], **_placed(child, path[1:], added)}}}


def _with_stamp(form: JsonObject) -> JsonObject:
    return unite(form, declare({"properties": {STAMP: {"properties": _STAMP_FIELDS}}}))


def _without_stamp(declared: JsonObject) -> JsonObject:
    properties = declared.get("properties")
    if not isinstance(properties, dict) or STAMP not in properties:
        return declared
    return {**declared, "properties": {k: v for k, v in properties.items() if k != STAMP}}


def _shown(form: JsonObject) -> JsonObject:
    """The form as the peer shows it: an object says its type only when it has no fields."""
    properties = form.get("properties")
    if not isinstance(properties, dict):
        return form
    for child in properties.values():
        if isinstance(child, dict) and "properties" in child:
            _shown(child)
            if not child["properties"]:
                del child["properties"]
            elif child["type"] == "object":
                del child["type"]
    return form
