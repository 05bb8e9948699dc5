"""Any topics, any filters: the tree finds what comparing each filter finds; covering is sound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.broker.tree import Tree
from router import topics

NAMED = st.sampled_from(["a", "b", "", "$a"])
NAMES = st.lists(NAMED, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(NAMED | st.just("+"), min_size=1, max_size=3),
    st.sampled_from([(), ("#",)]),
).filter(bool) | st.just("#")


def plainly(topic: str, topic_filter: str) -> bool:
    """The words of the specification, level by level."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    names, levels = topic.split("/"), topic_filter.split("/")
    for depth, level in enumerate(levels):
        if level == "#":
            return True
        if depth == len(names):
            return False
        if level not in ("+", names[depth]):
            return False
    return len(names) == len(levels)


def _plainly(topic: str, topic_filter: str) -> bool:
    # "sport/tennis/#" matches "sport/tennis" as well: 4.7.1.2.
    parent = topic_filter.removesuffix("/#")
    return plainly(topic, topic_filter) or (parent != topic_filter and plainly(topic, parent))


@given(NAMES, FILTERS)
def test_matching_is_what_the_specification_says(topic: str, topic_filter: str) -> None:
    assert topics.matches(topic, topic_filter) == _plainly(topic, topic_filter)


@given(st.sets(FILTERS, max_size=20), NAMES)
def test_a_tree_finds_the_filters_of_a_topic(filters: set[str], topic: str) -> None:
    tree: Tree[str] = Tree()
    for each in filters:
        tree.put(each, each)
    assert sorted(tree.matching(topic)) == sorted(f for f in filters if _plainly(topic, f))


@given(st.sets(NAMES, max_size=20), FILTERS)
def test_a_tree_finds_the_topics_of_a_filter(names: set[str], topic_filter: str) -> None:
    tree: Tree[str] = Tree()
    for each in names:
        tree.put(each, each)
    assert sorted(tree.matched(topic_filter)) == sorted(
        name for name in names if _plainly(name, topic_filter)
    )


@given(st.lists(st.tuples(st.booleans(), FILTERS), max_size=40))
def test_a_tree_holds_what_was_put_and_not_removed(steps: list[tuple[bool, str]]) -> None:
    tree: Tree[int] = Tree()
    plain: dict[str, int] = {}
    for number, (is_put, name) in enumerate(steps):
        if is_put:
            tree.put(name, number)
            plain[name] = number
        else:
            assert tree.remove(name) == plain.pop(name, None)
        assert len(tree) == len(plain)
    assert {name: tree.get(name) for _, name in steps} == {
        name: plain.get(name) for _, name in steps
    }
    for name in list(plain):
        tree.remove(name)
    assert tree.is_empty


@given(FILTERS, FILTERS, NAMES)
def test_what_a_filter_covers_it_matches(wide: str, narrow: str, topic: str) -> None:
    if topics.covers(wide, narrow) and topics.matches(topic, narrow):
        assert topics.matches(topic, wide)
    if topic == narrow:
        assert topics.covers(wide, narrow) == topics.matches(topic, wide)
