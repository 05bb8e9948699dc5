"""How often somebody may try to log in, so that passwords can't be guessed."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from router.addresses import network_of
from router.errors import TooSoonError
from router.settings import LoginSettings

REFUSAL: Final = "api.process.too_many_logins_requests"

# Beyond this many doublings every delay has reached its maximum.
_MOST_DOUBLINGS: Final = 32

_DAY_S: Final = 86_400


class LoginThrottle:
    """Makes whoever fails to log in wait, longer each time, and nobody else.

    Call `check` before the password is looked at; that counts as a failure at once, so that a
    thousand attempts at the same moment don't slip through. `succeeded` takes it back; so does
    `undecided`. A wrong password needs no call.

    Three things are counted (docs/decisions, "Login throttling"): failures of a user from one
    address, of an address for whatever user, of a user from whatever address. The last makes
    nobody wait; beyond its limit each address has one try for that user instead of several.
    Strangers therefore can't lock a user out, unless they share an address with it; nor from
    an address from which it has logged in before, where only its own failures count.

    Memory is bounded: of each kind `logins.remembered` are kept, those that changed last. Names
    and addresses are kept as digests of 16 bytes under a key of this process.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(
        self, settings: LoginSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._pairs = _Ledger(settings, settings.forget_s)
        self._addresses = _Ledger(settings, settings.forget_s)
        self._users = _Ledger(settings, settings.forget_s)
        self._familiar = _Ledger(settings, settings.familiar_days * _DAY_S)

    def __len__(self) -> int:
        """What is remembered, of all kinds together."""
        return sum(len(ledger) for ledger in self._ledgers())

    def check(self, username: str, address: str) -> None:
        """Let an attempt through, and count it.

        Raises:
            TooSoonError: `api.process.too_many_logins_requests`; not counted.
        """
        settings, now = self._settings, self._clock()
        user, place, pair = self._keys(username, address)
        waits = [self._pairs.wait(pair, now, free=self._free_tries(user, pair, now))]
        if not self._familiar.count(pair, now):
            waits.append(self._addresses.wait(place, now, free=settings.failures_per_address))
        if max(waits) > 0:
            raise TooSoonError(REFUSAL, retry_after_s=max(waits))
        for ledger, key in self._entries(user, place, pair):
            ledger.add(key, now)

    def succeeded(self, username: str, address: str) -> None:
        """The password was right: forget the user's failures from this address."""
        now = self._clock()
        user, place, pair = self._keys(username, address)
        self._pairs.forget(pair)
        self._addresses.take_back(place)
        self._users.take_back(user)
        self._familiar.add(pair, now)

    def undecided(self, username: str, address: str) -> None:
        """The password couldn't be looked at: the attempt counts for nothing."""
        for ledger, key in self._entries(*self._keys(username, address)):
            ledger.take_back(key)

    # -- inside ---------------------------------------------------------------------------

    def _free_tries(self, user: bytes, pair: bytes, now: float) -> int:
        is_attacked = self._users.count(user, now) >= self._settings.failures_per_user
        if is_attacked and not self._familiar.count(pair, now):
            return 1
        return self._settings.failures

    def _keys(self, username: str, address: str) -> tuple[bytes, bytes, bytes]:
        name = username.encode("utf-8", "surrogatepass")
        network = network_of(address).encode("utf-8", "surrogatepass")
        return (
            self._digest(b"user", name),
            self._digest(b"address", network),
            # An address holds no NUL, so that the two can't be cut elsewhere.
            self._digest(b"pair", network + b"\0" + name),
        )

    def _digest(self, kind: bytes, value: bytes) -> bytes:
        return hashlib.blake2b(value, digest_size=16, key=self._key, person=kind).digest()

    def _entries(self, user: bytes, place: bytes, pair: bytes) -> Iterator[tuple[_Ledger, bytes]]:
        yield self._users, user
        yield self._addresses, place
        yield self._pairs, pair

    def _ledgers(self) -> tuple[_Ledger, ...]:
        return self._pairs, self._addresses, self._users, self._familiar


class _Tally(msgspec.Struct, gc=False):
    """So many times, the last of them then."""

    count: int
    at: float


class _Ledger:
    """Counts by key; the keys that changed longest ago are forgotten first."""

    def __init__(self, settings: LoginSettings, lifetime_s: float) -> None:
        self._settings = settings
        self._lifetime_s = lifetime_s
        self._tallies: OrderedDict[bytes, _Tally] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tallies)

    def count(self, key: bytes, now: float) -> int:
        """How many times, unless the last is long ago."""
        tally = self._tallies.get(key)
        if tally is None:
            return 0
        if now - tally.at >= self._lifetime_s:
            del self._tallies[key]
            return 0
        return tally.count

    def wait(self, key: bytes, now: float, *, free: int) -> float:
        """Seconds until the next time may come, where only so many are free."""
        count = self.count(key, now)
        if count < free:
            return 0.0
        doublings = min(count - free, _MOST_DOUBLINGS)
        delay = min(self._settings.delay_s * 2.0**doublings, self._settings.delay_max_s)
        return max(0.0, self._tallies[key].at + delay - now)

    def add(self, key: bytes, now: float) -> None:
        tally = self._tallies.get(key)
        if tally is None:
            self._tallies[key] = _Tally(1, now)
            if len(self._tallies) > self._settings.remembered:
                self._tallies.popitem(last=False)
            return
        tally.count += 1
        tally.at = now
        self._tallies.move_to_end(key)

    def take_back(self, key: bytes) -> None:
        tally = self._tallies.get(key)
        if tally is None:
            return
        tally.count -= 1
        if tally.count <= 0:
            del self._tallies[key]

    def forget(self, key: bytes) -> None:
        self._tallies.pop(key, None)
