"""The fields that a query sees: those of the documents, or those of nested objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import orjson

from router.envelope import JsonObject
from storage.fields import Value
from storage.plan import Branch, Leaf, Walk, compile_branch, walk
from storage.projection import fits


class Scope:
    """The fields of one object and all within it, named by their whole paths; sub-fields too.

    What nested objects hold is hidden in the scope of what holds them, and the other way round.
    """

    __slots__ = ("_branches", "_inner", "_leaves", "_outer", "_root")

    def __init__(self, root: Branch, outer: Scope | None = None) -> None:
        self._root = root
        self._outer = outer
        self._leaves = {leaf.path: leaf for leaf in _leaves(root)}
        self._branches = {".".join(branch.path): branch for branch in _branches(root)}
        self._inner: dict[str, Scope] = {}

    @property
    def is_nested(self) -> bool:
        """Whether it is one of nested objects."""
        return self._outer is not None

    def leaf(self, path: str) -> Leaf | None:
        """The field of that path; None for objects and unmapped paths."""
        found = self._leaves.get(path)
        if found is not None or self._outer is None:
            return found
        beyond = self._outer.leaf(path)
        return None if beyond is None else replace(beyond, kind=None, is_hidden=True)

    def searchable(self, names: Sequence[str]) -> list[str]:
        """The fields that these names stand for; with a `*` in a name, those of all types that
        can be matched."""
        found: dict[str, None] = {}
        for name in names:
            if "*" not in name:
                found[name] = None
                continue
            parts = name.split("*")
            for leaf in self._leaves.values():
                if leaf.kind not in (None, "geo") and fits(parts, leaf.path):
                    found[leaf.path] = None
        return list(found)

    def leaves_under(self, path: str) -> list[Leaf]:
        """The fields within the object of that path; empty for anything else."""
        if path not in self._branches:
            return []
        return [leaf for leaf in self._leaves.values() if leaf.path.startswith(f"{path}.")]

    def nested(self, path: str) -> Scope | None:
        """The fields of the nested objects at that path; None if there are none."""
        branch = self._branches.get(path)
        if branch is None or branch.nested is None:
            return None
        if path not in self._inner:
            root = compile_branch(branch.nested, branch.path, branch.dynamic, frame="object")
            self._inner[path] = Scope(root, self)
        return self._inner[path]

    def values(self, text: str) -> dict[str, list[Value]]:
        """The values of one object of this scope, by field; the text is its index row."""
        found = Walk("", "", is_strict=False)
        content: JsonObject = orjson.loads(text)
        walk(self._root, content, found)
        fields: dict[str, list[Value]] = {}
        for path, _, value in found.rows:
            fields.setdefault(path, []).append(value)
        return fields


def _leaves(branch: Branch) -> Iterator[Leaf]:
    for child in branch.children.values():
        if isinstance(child, Branch):
            yield from _leaves(child)
        else:
            yield child
            yield from child.subs


def _branches(branch: Branch) -> Iterator[Branch]:
    yield branch
    for child in branch.children.values():
        if isinstance(child, Branch):
            yield from _branches(child)
