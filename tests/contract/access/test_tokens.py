"""Tokens of logins: durable before they are given out, dead once they are revoked."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from access import signing
from access.keyring import new_key
from access.places import INDEX, TOKENS
from access.sessions import EXPIRED
from access.signing import Claims
from router.errors import RouterError
from storage.contract import Storage
from storage.query import Search
from tests.contract.access.conftest import Clock, Desk

HOUR_MS = 3_600_000.0


async def refused(attempt: Awaitable[object]) -> RouterError:
    """The error of what must be refused as an invalid token."""
    with pytest.raises(RouterError) as caught:
        await attempt
    assert (caught.value.id, caught.value.status) == ("security.token.invalid", 401)
    return caught.value


class TestLife:
    async def test_it_speaks_for_its_user(self, desk: Desk, clock: Clock) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        assert token.text.startswith("kauth-")
        assert token.ttl == HOUR_MS
        assert token.session.expires_at == clock.now + HOUR_MS
        assert (await desk.tokens.verify(token.text)).kuid == "ada"

    async def test_a_router_that_starts_anew_knows_it(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        later = await new_desk().open()
        session = await later.tokens.verify(token.text)
        assert (session.kuid, session.expires_at) == ("ada", token.session.expires_at)

    async def test_each_login_has_its_own(self, desk: Desk) -> None:
        first, second = [await desk.tokens.issue("ada", HOUR_MS) for _ in range(2)]
        assert first.text != second.text
        await desk.tokens.revoke(first.session)
        assert (await desk.tokens.verify(second.text)).kuid == "ada"

    async def test_it_expires_to_the_millisecond(
        self, desk: Desk, new_desk: Callable[[], Desk], clock: Clock
    ) -> None:
        token = await desk.tokens.issue("ada", 1_500)
        clock.pass_s(1.499)
        await desk.tokens.verify(token.text)
        clock.pass_s(0.001)
        for router in (desk, await new_desk().open()):
            assert (await refused(router.tokens.verify(token.text))).message == EXPIRED

    async def test_an_infinite_one_never_does(self, desk: Desk, clock: Clock) -> None:
        token = await desk.tokens.issue("ada", math.inf)
        assert (token.ttl, token.session.expires_at) == (-1, -1)
        clock.pass_s(1e9)
        assert (await desk.tokens.verify(token.text)).kuid == "ada"
        assert "exp" not in str(signing.read(token.text[len("kauth-") :]).expires_at)

    async def test_more_tokens_than_are_remembered_work(
        self, storage: Storage, desk: Desk, clock: Clock
    ) -> None:
        small = await Desk(
            storage, desk.keys, clock, desk.settings.model_copy(update={"tokens_cached": 2})
        ).open()
        tokens = [await small.tokens.issue(f"u{number}", HOUR_MS) for number in range(5)]
        for _ in range(2):
            kuids = [(await small.tokens.verify(token.text)).kuid for token in tokens]
            assert kuids == ["u0", "u1", "u2", "u3", "u4"]


class TestForgery:
    async def test_a_token_without_session_is_refused(self, desk: Desk, clock: Clock) -> None:
        key = (await desk.keys.load()).newest
        claims = Claims(id="ada", issued_at=int(clock.now // 1_000), token_id="none such")
        await refused(desk.tokens.verify("kauth-" + signing.sign(claims, key)))

    async def test_a_session_of_another_user_is_refused(self, desk: Desk, clock: Clock) -> None:
        key = (await desk.keys.load()).newest
        token = await desk.tokens.issue("ada", HOUR_MS)
        claims = Claims(id="eve", issued_at=int(clock.now // 1_000), token_id=token.session.id)
        await refused(desk.tokens.verify("kauth-" + signing.sign(claims, key)))

    async def test_one_from_the_future_is_refused(self, desk: Desk, clock: Clock) -> None:
        token = await desk.tokens.issue("ada", math.inf)
        clock.pass_s(-3_600)
        fresh = await Desk(desk.storage, desk.keys, clock).open()
        await refused(fresh.tokens.verify(token.text))

    async def test_a_foreign_key_is_refused(self, desk: Desk, clock: Clock) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        claims = signing.read(token.text[len("kauth-") :])
        await refused(desk.tokens.verify("kauth-" + signing.sign(claims, new_key())))

    async def test_its_prefix_belongs_to_it(self, desk: Desk) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        for text in (
            token.text[len("kauth-") :],
            "KAUTH-" + token.text[len("kauth-") :],
            "",
            "foo",
        ):
            await refused(desk.tokens.verify(text))


class TestRevocation:
    async def test_it_counts_at_once_and_for_ever(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        await desk.tokens.verify(token.text)
        await desk.tokens.revoke(token.session)
        await desk.tokens.revoke(token.session)
        for router in (desk, await new_desk().open()):
            assert (await refused(router.tokens.verify(token.text))).message != EXPIRED

    async def test_all_of_a_user_and_of_nobody_else(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        hers = [await desk.tokens.issue("ada", HOUR_MS) for _ in range(4)]
        his = await desk.tokens.issue("bob", HOUR_MS)
        other = await new_desk().open()
        await other.tokens.revoke_all("ada")
        fresh = await new_desk().open()
        for token in hers:
            await refused(fresh.tokens.verify(token.text))
        assert (await fresh.tokens.verify(his.text)).kuid == "bob"

    async def test_a_login_afterwards_works(self, desk: Desk) -> None:
        await desk.tokens.issue("ada", HOUR_MS)
        await desk.tokens.revoke_all("ada")
        token = await desk.tokens.issue("ada", HOUR_MS)
        assert (await desk.tokens.verify(token.text)).kuid == "ada"

    async def test_it_is_told_to_whom_the_session_is_in_use_at(self, desk: Desk) -> None:
        told: list[str] = []
        desk.sessions.on_revoked(lambda session: told.append(session.kuid))
        token = await desk.tokens.issue("ada", HOUR_MS)
        await desk.tokens.revoke_all("ada")
        assert told == ["ada"]
        assert token.session.is_revoked

    async def test_other_routers_hear_of_it_through_the_feed(
        self, desk: Desk, new_desk: Callable[[], Desk], storage: Storage
    ) -> None:
        other = await new_desk().open()
        one, two, three = [await desk.tokens.issue("ada", HOUR_MS) for _ in range(3)]
        for token in (one, two, three):
            await other.tokens.verify(token.text)
        await desk.tokens.revoke(one.session)
        renewed = await desk.tokens.refresh(two.session, HOUR_MS)
        rows = [row for row in await storage.changes(0) if row.collection == TOKENS]
        other.tokens.hear(rows)
        await refused(other.tokens.verify(one.text))
        session = await other.tokens.verify(two.text)
        assert session.is_refreshed
        assert session.expires_at == two.session.expires_at
        await other.tokens.verify(three.text)
        await other.tokens.verify(renewed.text)
        await desk.tokens.revoke_all("ada")
        rows = [row for row in await storage.changes(rows[-1].seq) if row.collection == TOKENS]
        other.tokens.hear(rows)
        await refused(other.tokens.verify(three.text))

    async def test_a_reading_on_its_way_does_not_bring_it_back(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        other = await new_desk().open()

        class Meanwhile:
            """The store, where each reading ends after the session was revoked."""

            async def mget(self, *place: Any) -> Any:
                found = await desk.storage.mget(*place)
                other.sessions.revoke([token.session.id])
                return found

        other.tokens._storage = Meanwhile()  # type: ignore[assignment]
        await refused(other.tokens.verify(token.text))


class TestSingleUse:
    async def test_it_works_once_even_when_used_many_times_at_once(self, desk: Desk) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS, single_use=True)
        outcomes = await asyncio.gather(
            *(desk.tokens.verify(token.text) for _ in range(8)), return_exceptions=True
        )
        assert sum(not isinstance(outcome, RouterError) for outcome in outcomes) == 1
        await refused(desk.tokens.verify(token.text))

    async def test_it_works_once_on_all_routers_together(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS, single_use=True)
        routers = [desk, *[await new_desk().open() for _ in range(3)]]
        outcomes = await asyncio.gather(
            *(router.tokens.verify(token.text) for router in routers), return_exceptions=True
        )
        assert sum(not isinstance(outcome, RouterError) for outcome in outcomes) == 1


class TestRenewal:
    async def test_the_old_one_lives_out_its_grace_period(self, desk: Desk, clock: Clock) -> None:
        old = await desk.tokens.issue("ada", HOUR_MS)
        new = await desk.tokens.refresh(old.session, 2 * HOUR_MS)
        assert new.ttl == 2 * HOUR_MS
        clock.pass_s(0.999)
        assert await desk.tokens.verify(old.text) is old.session
        clock.pass_s(0.001)
        await refused(desk.tokens.verify(old.text))
        assert (await desk.tokens.verify(new.text)).kuid == "ada"

    async def test_the_grace_period_prolongs_nothing(self, desk: Desk, clock: Clock) -> None:
        old = await desk.tokens.issue("ada", 400)
        await desk.tokens.refresh(old.session, HOUR_MS)
        clock.pass_s(0.4)
        await refused(desk.tokens.verify(old.text))

    async def test_it_is_done_once(self, desk: Desk, new_desk: Callable[[], Desk]) -> None:
        old = await desk.tokens.issue("ada", HOUR_MS)
        other = await new_desk().open()
        elsewhere = await other.tokens.verify(old.text)
        attempts = [desk.tokens.refresh(old.session, HOUR_MS) for _ in range(4)]
        attempts += [other.tokens.refresh(elsewhere, HOUR_MS) for _ in range(4)]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(won) == 1
        assert all(
            isinstance(it, RouterError) and it.id == "security.token.invalid"
            for it in outcomes
            if it not in won
        )

    async def test_a_renewed_one_can_be_renewed(self, desk: Desk) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        for _ in range(3):
            token = await desk.tokens.refresh(token.session, HOUR_MS)
        assert (await desk.tokens.verify(token.text)).kuid == "ada"

    async def test_what_never_expires_cannot_be(self, desk: Desk) -> None:
        token = await desk.tokens.issue("ada", math.inf)
        with pytest.raises(RouterError) as caught:
            await desk.tokens.refresh(token.session, HOUR_MS)
        assert caught.value.id == "security.token.refresh_forbidden"

    async def test_the_successor_of_a_revoked_one_is_revoked(self, desk: Desk) -> None:
        token = await desk.tokens.issue("ada", HOUR_MS)
        renewed, _ = await asyncio.gather(
            desk.tokens.refresh(token.session, HOUR_MS),
            desk.tokens.revoke_all("ada"),
            return_exceptions=True,
        )
        if not isinstance(renewed, BaseException):
            await refused(desk.tokens.verify(renewed.text))


class TestSweep:
    async def test_what_has_expired_is_forgotten(
        self, desk: Desk, clock: Clock, storage: Storage
    ) -> None:
        for _ in range(3):
            await desk.tokens.issue("ada", 1_000)
        rest = await desk.tokens.issue("ada", HOUR_MS)
        forever = await desk.tokens.issue("ada", math.inf)
        clock.pass_s(1)
        await desk.tokens.sweep()
        ids = [rest.session.id, forever.session.id]
        assert None not in await storage.mget(INDEX, TOKENS, ids)
        await storage.refresh(INDEX, TOKENS)
        assert await storage.count([(INDEX, TOKENS)], Search()) == 2

    async def test_old_keys_verify_until_their_tokens_end(self, desk: Desk, clock: Clock) -> None:
        # Keys tell their age by the real clock.
        clock.now = time.time() * 1_000
        old_key = (await desk.keys.load()).newest
        token = await desk.tokens.issue("ada", 3 * HOUR_MS)
        await desk.keys.rotate()
        renewed = await desk.tokens.issue("ada", 6 * HOUR_MS)
        clock.pass_s(2 * 3_600)
        await desk.tokens.sweep()
        fresh = await Desk(desk.storage, desk.keys, clock).open()
        assert (await fresh.tokens.verify(token.text)).kuid == "ada"
        clock.pass_s(3_600)
        await desk.tokens.sweep()
        assert (await desk.keys.load()).find(old_key.id) is None
        assert (await fresh.tokens.verify(renewed.text)).kuid == "ada"
