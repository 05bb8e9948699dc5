"""The cache of records: bounded by bytes, the least lately used go first."""

from __future__ import annotations

from storage.opensearch.cache import Cache
from storage.opensearch.records import Record

BIG = Record(version=1, content=b"x" * 1_000)


def test_what_was_put_is_there_until_it_is_dropped() -> None:
    cache = Cache(10_000)
    cache.put("u", "one", BIG)
    assert cache.get("u", "one") is BIG
    assert cache.get("other", "one") is None
    cache.drop("u", "one")
    cache.drop("u", "one")
    assert cache.get("u", "one") is None


def test_the_least_lately_used_is_forgotten() -> None:
    cache = Cache(3_500)  # two such records, with what they take beside
    cache.put("u", "a", BIG)
    cache.put("u", "b", BIG)
    cache.get("u", "a")
    cache.put("u", "c", BIG)
    assert [cache.get("u", name) is BIG for name in "abc"] == [True, False, True]


def test_putting_a_record_again_does_not_count_it_twice() -> None:
    cache = Cache(3_500)
    for _ in range(10):
        cache.put("u", "a", BIG)
    cache.put("u", "b", BIG)
    assert cache.get("u", "a") is BIG
