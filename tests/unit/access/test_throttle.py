"""Guessing passwords takes longer and longer, and costs nobody else anything."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from access.throttle import LoginThrottle
from router.errors import TooSoonError
from router.settings import LoginSettings

HOME, AWAY, EVIL = "192.0.2.1", "192.0.2.2", "198.51.100.66"

# Attempts of the test that fills the memory; TRIVIUM_LOGIN_ATTEMPTS=1000000 runs it whole.
ATTEMPTS = int(os.environ.get("TRIVIUM_LOGIN_ATTEMPTS", "20000"))

BYTES_REMEMBERED = 400
"""Of one user, address or pair: a digest, a tally and its place in an ordered dict."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """A throttle whose clock the test turns."""

    def __init__(self, **settings: float) -> None:
        self.clock = Clock()
        self.throttle = LoginThrottle(LoginSettings.model_validate(settings), clock=self.clock)

    def fail(self, user: str, address: str) -> None:
        self.throttle.check(user, address)

    def enter(self, user: str, address: str) -> None:
        self.throttle.check(user, address)
        self.throttle.succeeded(user, address)

    def wait_of(self, user: str, address: str) -> float:
        """Seconds that an attempt would be told to wait; one that isn't counts for nothing."""
        try:
            self.throttle.check(user, address)
        except TooSoonError as error:
            return error.retry_after_s
        self.throttle.undecided(user, address)
        return 0.0


def test_each_failure_beyond_the_free_ones_doubles_the_wait() -> None:
    door = Door(failures=3, delay_s=1, delay_max_s=10)
    waits = []
    for _ in range(9):
        waits.append(door.wait_of("ada", HOME))
        door.clock.now += waits[-1]
        door.fail("ada", HOME)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 10, 10]


def test_a_refusal_has_its_id_and_says_when_to_come_back() -> None:
    door = Door(failures=1, delay_s=90)
    door.fail("ada", HOME)
    door.clock.now += 0.5
    with pytest.raises(TooSoonError) as caught:
        door.throttle.check("ada", HOME)
    assert caught.value.id == "api.process.too_many_logins_requests"
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "90"}


def test_a_refused_attempt_does_not_prolong_the_wait() -> None:
    door = Door(failures=1, delay_s=10)
    door.fail("ada", HOME)
    for _ in range(100):
        assert door.wait_of("ada", HOME) == 10
    door.clock.now += 10
    assert door.wait_of("ada", HOME) == 0


def test_attempts_at_the_same_moment_count_before_they_are_decided() -> None:
    door = Door(failures=5)
    let_through = 0
    for _ in range(1_000):
        try:
            door.throttle.check("ada", HOME)
        except TooSoonError:
            continue
        let_through += 1
    assert let_through == 5


def test_a_login_forgets_the_failures_before_it() -> None:
    door = Door(failures=3)
    for _ in range(20):
        door.fail("ada", HOME)
        door.fail("ada", HOME)
        door.enter("ada", HOME)


def test_an_undecided_attempt_counts_for_nothing() -> None:
    door = Door(failures=1)
    for _ in range(10):
        door.throttle.check("ada", HOME)
        door.throttle.undecided("ada", HOME)
    assert len(door.throttle) == 0


def test_failures_are_forgotten_in_time() -> None:
    door = Door(failures=1, delay_s=5, delay_max_s=5, forget_s=100)
    door.fail("ada", HOME)
    door.clock.now += 100
    door.fail("ada", HOME)
    assert door.wait_of("ada", HOME) == 5


def test_others_do_not_wait_for_one_who_guesses() -> None:
    door = Door(failures=2)
    door.fail("ada", EVIL)
    door.fail("ada", EVIL)
    assert door.wait_of("ada", EVIL) > 0
    assert door.wait_of("ada", HOME) == 0
    assert door.wait_of("bob", EVIL) == 0


def test_an_address_that_tries_many_users_waits() -> None:
    door = Door(failures=5, failures_per_address=20)
    for number in range(20):
        door.fail(f"user-{number}", EVIL)
    assert door.wait_of("ada", EVIL) > 0
    assert door.wait_of("ada", HOME) == 0


def test_a_login_of_the_attackers_own_does_not_clear_its_address() -> None:
    door = Door(failures=5, failures_per_address=20, delay_s=60)
    for number in range(20):
        door.fail(f"user-{number}", EVIL)
    door.clock.now += 60
    door.enter("eve", EVIL)
    assert door.wait_of("user-21", EVIL) > 0


def test_many_addresses_cannot_lock_a_user_out() -> None:
    door = Door(failures=5, failures_per_user=50)
    door.enter("ada", HOME)
    for number in range(3_000):
        door.fail("ada", f"198.18.{number // 250}.{number % 250}")
    # From where she was before, she has all her tries; from a new address one.
    for _ in range(4):
        door.fail("ada", HOME)
    assert door.wait_of("ada", HOME) == 0
    assert door.wait_of("ada", AWAY) == 0
    door.enter("ada", AWAY)


def test_a_user_under_attack_has_one_try_from_each_new_address() -> None:
    door = Door(failures=5, failures_per_user=50)
    for number in range(50):
        door.fail("ada", f"198.18.0.{number}")
    door.fail("ada", EVIL)
    assert door.wait_of("ada", EVIL) > 0
    door.fail("bob", EVIL)
    assert door.wait_of("bob", EVIL) == 0


def test_a_noisy_neighbour_does_not_keep_a_familiar_user_out() -> None:
    door = Door(failures=5, failures_per_address=20)
    door.enter("ada", HOME)
    for number in range(20):
        door.fail(f"user-{number}", HOME)
    assert door.wait_of("bob", HOME) > 0
    assert door.wait_of("ada", HOME) == 0


def test_one_host_cannot_take_another_address_for_each_try() -> None:
    door = Door(failures=2)
    door.fail("ada", "2001:db8::1")
    door.fail("ada", "2001:db8::2")
    assert door.wait_of("ada", "2001:db8::3") > 0


def test_names_cannot_be_cut_so_that_they_meet() -> None:
    door = Door(failures=1)
    door.fail("a", "b")
    assert door.wait_of("", "ba") == 0
    assert door.wait_of("ba", "") == 0
    assert door.wait_of("b", "a") == 0


@pytest.mark.parametrize("name", ["", "é" * 1_000_000, "\ud800", "a\0b"])
def test_any_text_can_be_a_name(name: str) -> None:
    door = Door(failures=1)
    door.fail(name, HOME)
    assert door.wait_of(name, HOME) > 0


def test_a_flood_of_attempts_takes_bounded_memory() -> None:
    door = Door(remembered=1_000)
    tracemalloc.start()
    try:
        for number in range(ATTEMPTS):
            address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            door.throttle.check(f"user-{number % 5_000}", address)
            door.clock.now += 0.001
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(door.throttle) <= 4 * 1_000
    # The cache of `network_of` is counted, too: 4096 addresses.
    assert held < 4 * 1_000 * BYTES_REMEMBERED + 4_096 * 600
    # The victim of it all, from an address of her own.
    assert door.wait_of("user-1", "192.0.2.77") == 0
