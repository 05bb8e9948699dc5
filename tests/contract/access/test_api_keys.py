"""API keys: shown once, known by their fingerprint, good until deleted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import jwt
import pytest

from access import signing
from access.api_keys import Order
from access.keyring import new_key
from access.places import API_KEYS, INDEX
from access.sessions import EXPIRED
from router.errors import RouterError
from storage.contract import Storage, Write
from storage.query import Search
from tests.contract.access.conftest import Clock, Desk
from tests.contract.access.test_tokens import HOUR_MS, refused


async def test_it_speaks_for_its_user_on_every_router(
    desk: Desk, new_desk: Callable[[], Desk]
) -> None:
    key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
    assert key.text.startswith("kapikey-")
    for router in (desk, await new_desk().open()):
        session = await router.api_keys.verify(key.text)
        assert (session.kuid, session.kind, session.expires_at) == ("ada", "api key", -1)


async def test_what_is_shown_of_it(desk: Desk, clock: Clock) -> None:
    key = await desk.api_keys.create("ada", HOUR_MS, Order("for tests", id="k1"))
    assert key.id == "k1"
    shown = {name: value for name, value in key.source.items() if name != "_kuzzle_info"}
    assert shown == {
        "userId": "ada",
        "description": "for tests",
        "expiresAt": clock.now + HOUR_MS,
        "ttl": HOUR_MS,
        "fingerprint": hashlib.sha256(key.text.encode()).hexdigest(),
        "token": key.text,
    }


async def test_the_store_does_not_have_it(desk: Desk, storage: Storage) -> None:
    key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
    stored = str((await storage.get(INDEX, API_KEYS, key.id)).source)
    assert key.text not in stored
    assert key.text.rpartition(".")[2] not in stored


async def test_many_keys_of_one_user_work(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    keys = [await desk.api_keys.create("ada", math.inf, Order(str(n))) for n in range(25)]
    other = await new_desk().open()
    for key in keys:
        assert (await other.api_keys.verify(key.text)).kuid == "ada"


async def test_it_expires(desk: Desk, new_desk: Callable[[], Desk], clock: Clock) -> None:
    key = await desk.api_keys.create("ada", 1_000, Order("short"))
    clock.pass_s(1)
    for router in (desk, await new_desk().open()):
        assert (await refused(router.api_keys.verify(key.text))).message == EXPIRED


async def test_it_outlives_the_key_that_signed_it(desk: Desk) -> None:
    key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
    old = (await desk.keys.load()).newest
    await desk.keys.rotate()
    await desk.keys.forget([old.id])
    assert (await desk.api_keys.verify(key.text)).kuid == "ada"


async def test_a_key_that_kuzzle_made_works(
    desk: Desk, new_desk: Callable[[], Desk], storage: Storage
) -> None:
    # As Kuzzle 2.56 writes them: no id in the token, signed with a secret of its own.
    text = "kapikey-" + jwt.encode({"_id": "ada", "iat": 1_700_000_000}, "k" * 64, "HS256")
    content = {
        "userId": "ada",
        "description": "old",
        "expiresAt": -1,
        "ttl": -1,
        "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
    }
    await storage.write(
        Write(
            verb="create", index=INDEX, collection=API_KEYS, id="old", content=content, refresh=True
        )
    )
    assert (await desk.api_keys.verify(text)).kuid == "ada"
    await desk.api_keys.delete("ada", "old")
    await refused(desk.api_keys.verify(text))


async def test_one_of_somebody_elses_making_is_refused(desk: Desk) -> None:
    key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
    claims = signing.read(key.text[len("kapikey-") :])
    await refused(desk.api_keys.verify("kapikey-" + signing.sign(claims, new_key())))


@pytest.mark.parametrize(
    "text",
    ["kapikey-", "kapikey-x", "kapikey-a.b.c", "kapikey-" + "x" * 9_000, "kapikey-\ud800.a.b"],
)
async def test_what_is_no_key_is_refused(desk: Desk, text: str) -> None:
    await refused(desk.api_keys.verify(text))


@pytest.mark.parametrize("id", ["", "_x", "x" * 2_000, "\ud800", "\0"])
async def test_a_key_that_names_an_impossible_document_is_refused(desk: Desk, id: str) -> None:
    claims = signing.Claims(id="ada", issued_at=1, token_id=id)
    await refused(desk.api_keys.verify("kapikey-" + signing.sign(claims, new_key())))


class TestDeletion:
    async def test_it_counts_at_once_and_for_ever(
        self, desk: Desk, new_desk: Callable[[], Desk]
    ) -> None:
        key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
        await desk.api_keys.verify(key.text)
        await desk.api_keys.delete("ada", key.id)
        for router in (desk, await new_desk().open()):
            await refused(router.api_keys.verify(key.text))

    async def test_another_users_key_is_not_there(self, desk: Desk) -> None:
        key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
        for kuid, key_id in (("eve", key.id), ("ada", "none such")):
            with pytest.raises(RouterError) as caught:
                await desk.api_keys.delete(kuid, key_id)
            assert caught.value.id == "services.storage.not_found"
        assert (await desk.api_keys.verify(key.text)).kuid == "ada"

    async def test_all_of_a_user(self, desk: Desk) -> None:
        hers = [await desk.api_keys.create("ada", math.inf, Order(str(n))) for n in range(3)]
        his = await desk.api_keys.create("bob", math.inf, Order("his"))
        await desk.api_keys.delete_all("ada")
        for key in hers:
            await refused(desk.api_keys.verify(key.text))
        assert (await desk.api_keys.verify(his.text)).kuid == "bob"

    async def test_other_routers_hear_of_it_through_the_feed(
        self, desk: Desk, new_desk: Callable[[], Desk], storage: Storage
    ) -> None:
        key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
        other = await new_desk().open()
        await other.api_keys.verify(key.text)
        await desk.api_keys.delete("ada", key.id)
        rows = await storage.changes(0)
        other.api_keys.hear([row for row in rows if row.collection == API_KEYS])
        await refused(other.api_keys.verify(key.text))

    async def test_logging_out_everywhere_keeps_them(self, desk: Desk) -> None:
        key = await desk.api_keys.create("ada", math.inf, Order("for tests"))
        await desk.api_keys.verify(key.text)
        await desk.tokens.revoke_all("ada")
        assert (await desk.api_keys.verify(key.text)).kuid == "ada"


async def test_a_search_finds_only_the_users_own(desk: Desk) -> None:
    await desk.api_keys.create("ada", math.inf, Order("hers", id="k1", refresh=True))
    await desk.api_keys.create("bob", math.inf, Order("his", id="k2", refresh=True))
    page = await desk.api_keys.search("ada", Search())
    assert ([hit.id for hit in page.hits], page.total) == (["k1"], 1)
    assert "token" not in page.hits[0].source


async def test_an_id_is_given_once(desk: Desk) -> None:
    await desk.api_keys.create("ada", math.inf, Order("one", id="k1"))
    with pytest.raises(RouterError) as caught:
        await desk.api_keys.create("eve", math.inf, Order("two", id="k1"))
    assert caught.value.id == "services.storage.document_already_exists"
