"""Topics and topic filters by their levels, so that a match looks at few of them."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

V = TypeVar("V")

MAX_LEVELS: Final = 200
"""Levels of a topic or filter: a level takes some 200 bytes here, and 65 535 bytes of text could
have 65 536 of them. Mosquitto's own bound (TOPIC_HIERARCHY_LIMIT)."""

_LEVEL: Final = "+"
_REST: Final = "#"


def is_too_deep(topic: str) -> bool:
    """Whether a topic or filter has more levels than a tree takes."""
    return topic.count("/") >= MAX_LEVELS


class _Node(Generic[V]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[V]] = {}
        self.value: V | None = None


class Tree(Generic[V]):
    """Values by a topic or filter that has not too many levels, one for each; none is None.

    As filters they are found by a topic (`matching`), as topics by a filter (`matched`). Neither
    way depends on how many others there are.
    """

    __slots__ = ("_root", "_size")

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of what was put."""
        return not self._root.children

    def get(self, topic: str) -> V | None:
        """The value of that very topic or filter."""
        node: _Node[V] | None = self._root
        for level in topic.split("/"):
            if node is None:
                return None
            node = node.children.get(level)
        return None if node is None else node.value

    def put(self, topic: str, value: V) -> None:
        """Set the value of a topic or filter."""
        node = self._root
        for level in topic.split("/"):
            below = node.children.get(level)
            if below is None:
                below = node.children[level] = _Node()
            node = below
        self._size += node.value is None
        node.value = value

    def remove(self, topic: str) -> V | None:
        """Take a topic or filter out, and the levels that nothing else needs; what it had."""
        path: list[tuple[_Node[V], str]] = []
        node = self._root
        for level in topic.split("/"):
            below = node.children.get(level)
            if below is None:
                return None
            path.append((node, level))
            node = below
        found, node.value = node.value, None
        self._size -= found is not None
        for above, level in reversed(path):
            if node.children or node.value is not None:
                break
            del above.children[level]
            node = above
        return found

    def matching(self, topic: str) -> list[V]:
        """The values of all filters that match a topic name, in no order."""
        levels = topic.split("/")
        nodes = [self._root]
        found: list[V | None] = []
        for depth, level in enumerate(levels):
            # Source: MQTT 5, 4.7.2: a leading wildcard matches no topic that begins with `$`.
            is_open = depth > 0 or not level.startswith("$")
            below: list[_Node[V]] = []
            for node in nodes:
                children = node.children
                if is_open:
                    _add_value(found, children.get(_REST))
                    _add(below, children.get(_LEVEL))
                _add(below, children.get(level))
            nodes = below
        for node in nodes:
            found.append(node.value)
            # `a/#` matches `a`, too.
            _add_value(found, node.children.get(_REST))
        return [value for value in found if value is not None]

    def matched(self, topic_filter: str) -> list[V]:
        """The values of all topic names that a filter matches, in no order."""
        levels = topic_filter.split("/")
        takes_rest = levels[-1] == _REST
        nodes = [self._root]
        for depth, level in enumerate(levels[:-1] if takes_rest else levels):
            nodes = [below for node in nodes for below in _chosen(node, level, depth)]
        if takes_rest and len(levels) == 1:
            nodes = _chosen(self._root, _LEVEL, 0)
        found = [node.value for node in nodes]
        while takes_rest and nodes:
            nodes = [below for node in nodes for below in node.children.values()]
            found += [node.value for node in nodes]
        return [value for value in found if value is not None]


def _add(nodes: list[_Node[V]], node: _Node[V] | None) -> None:
    if node is not None:
        nodes.append(node)


def _add_value(found: list[V | None], node: _Node[V] | None) -> None:
    if node is not None:
        found.append(node.value)


def _chosen(node: _Node[V], level: str, depth: int) -> list[_Node[V]]:
    if level == _LEVEL:
        names = node.children if depth else [name for name in node.children if name[:1] != "$"]
        return [node.children[name] for name in names]
    return [node.children[level]] if level in node.children else []
