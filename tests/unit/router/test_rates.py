"""So many a second, for each key by itself."""

from __future__ import annotations

from router.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_has_its_share_of_each_second() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert [rates.spend("ada", 2) for _ in range(4)] == [True, True, False, False]
    clock.now += 1
    assert [rates.spend("ada", 2) for _ in range(3)] == [True, True, False]


def test_keys_do_not_count_for_each_other() -> None:
    rates = Rates(Clock())
    assert rates.spend("ada", 1)
    assert not rates.spend("ada", 1)
    assert rates.spend("bob", 1)


def test_a_second_forgets_the_one_before() -> None:
    clock = Clock()
    rates = Rates(clock)
    for number in range(10_000):
        rates.spend(number, 1)
    clock.now += 1
    rates.spend("ada", 1)
    assert len(rates) == 1
