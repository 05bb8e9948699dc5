"""Who a request speaks for, on every wire: tokens good and bad, rights, logging in and out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from access import signing
from access.keyring import Key, new_key
from access.signing import Claims
from protocols.codec.mqtt.packets import V3_1_1, V5, Publish
from storage.contract import Author
from tests.support import mqtt_wire
from tests.support.people import ADA, ROOT, login, peopled
from tests.support.websocket import RawClient
from tests.support.websocket import request as websocket_request
from tests.support.wires import WIRES, Payload, Wire
from trivium import App
from trivium.server import Server

NOW = {"controller": "server", "action": "now"}
LOGOUT = {"controller": "auth", "action": "logout"}
REFRESH = {"controller": "auth", "action": "refreshToken"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with peopled() as started:
        yield started


@pytest.fixture(params=["http", "websocket", "mqtt-5"])
async def wire(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Wire]:
    opened = await WIRES[request.param](server.port, server.mqtt_port)
    yield opened
    await opened.close()


async def result(wire: Wire, payload: Payload) -> Any:
    answer = await wire.ask(payload)
    assert answer["error"] is None, answer["error"]
    return answer["result"]


async def refused(wire: Wire, payload: Payload, id: str, status: int) -> Payload:
    answer = await wire.ask(payload)
    assert answer["error"] is not None, answer
    assert (answer["error"]["id"], answer["status"]) == (id, status), answer["error"]
    assert answer["result"] is None
    error: Payload = answer["error"]
    return error


async def invalid(wire: Wire, token: str) -> Payload:
    return await refused(wire, {**NOW, "jwt": token}, "security.token.invalid", 401)


class TestRights:
    async def test_anonymous_is_asked_to_log_in(self, wire: Wire) -> None:
        error = await refused(wire, NOW, "security.rights.unauthorized", 401)
        assert error["props"][:2] == ["server", "now"]

    async def test_what_does_not_exist_is_refused_in_the_same_way(self, wire: Wire) -> None:
        for payload in ({"controller": "nope", "action": "x"}, {**NOW, "action": "nope"}):
            await refused(wire, payload, "security.rights.unauthorized", 401)
            jwt = (await result(wire, login(ADA)))["jwt"]
            await refused(wire, {**payload, "jwt": jwt}, "security.rights.forbidden", 403)
        jwt = (await result(wire, login(ROOT)))["jwt"]
        unknown = {"controller": "nope", "action": "x", "jwt": jwt}
        await refused(wire, unknown, "api.process.controller_not_found", 404)

    async def test_a_user_may_what_her_profiles_say(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ADA)))["jwt"]
        error = await refused(wire, {**NOW, "jwt": jwt}, "security.rights.forbidden", 403)
        assert error["props"] == ["server", "now", "ada-id"]
        current = {"controller": "auth", "action": "getCurrentUser", "jwt": jwt}
        assert (await result(wire, current))["_id"] == "ada-id"

    async def test_an_administrator_may_everything(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ROOT)))["jwt"]
        assert (await result(wire, {**NOW, "jwt": jwt}))["now"] > 0


class TestLogin:
    async def test_what_it_gives(self, wire: Wire) -> None:
        before = time.time() * 1_000
        token = await result(wire, login(ADA))
        assert token.keys() == {"_id", "jwt", "expiresAt", "ttl"}
        assert (token["_id"], token["ttl"]) == ("ada-id", 3_600_000)
        assert before + 3_600_000 - 1 <= token["expiresAt"] <= time.time() * 1_000 + 3_600_000
        check = {"controller": "auth", "action": "checkToken", "body": {"token": token["jwt"]}}
        checked = await result(wire, check)
        assert checked == {"valid": True, "kuid": "ada-id", "expiresAt": token["expiresAt"]}

    @pytest.mark.parametrize(
        ("expires_in", "ttl"), [("2h", 7_200_000), ("60000", 60_000), ("-1", -1)]
    )
    async def test_how_long(self, wire: Wire, expires_in: str, ttl: int) -> None:
        token = await result(wire, login(ADA, expiresIn=expires_in))
        assert token["ttl"] == ttl

    @pytest.mark.parametrize(
        ("changes", "id", "status"),
        [
            ({"body": {**ADA, "password": "x"}}, "plugin.strategy.missing_user", 401),
            ({"body": {**ADA, "username": "x"}}, "plugin.strategy.missing_user", 401),
            ({"body": {}}, "plugin.strategy.missing_user", 401),
            ({"body": {"username": "ada"}}, "plugin.strategy.missing_user", 401),
            ({"body": {**ADA, "password": 7}}, "api.assert.invalid_type", 400),
            ({"strategy": "ldap"}, "security.credentials.unknown_strategy", 400),
            ({"expiresIn": "0"}, "api.assert.invalid_argument", 400),
            ({"expiresIn": "soon"}, "api.assert.invalid_argument", 400),
            ({"jwt": "kauth-a.b.c"}, "security.token.invalid", 401),
        ],
    )
    async def test_what_is_refused(
        self, wire: Wire, changes: Payload, id: str, status: int
    ) -> None:
        await refused(wire, {**login(ADA), **changes}, id, status)


class TestForgery:
    async def test_no_token_but_a_true_one_is_taken(self, server: Server, wire: Wire) -> None:
        token = (await result(wire, login(ROOT)))["jwt"]
        key = (await server.core.entrance.keys.load()).newest
        claims = signing.read(token.removeprefix("kauth-"))
        head, body, tail = token.removeprefix("kauth-").split(".")
        none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
        forged = {
            "a foreign key": signing.sign(claims, new_key()),
            "a foreign key under our id": signing.sign(claims, Key(key.id, new_key().secret, 0)),
            "no algorithm": f"{none}.{body}.",
            "no algorithm, our signature": f"{none}.{body}.{tail}",
            "no signature": f"{head}.{body}.",
            "another user": signing.sign(
                Claims(id="ada-id", issued_at=claims.issued_at, token_id=claims.token_id), key
            ),
            "no session": signing.sign(
                Claims(id="root-id", issued_at=claims.issued_at, token_id="none"), key
            ),
            "the future": signing.sign(
                Claims(id="root-id", issued_at=claims.issued_at + 3_600, token_id="x"), key
            ),
            "cut": f"{head}.{body}.{tail[:-4]}",
            "nothing": "",
        }
        for text in forged.values():
            await invalid(wire, f"kauth-{text}")
            await invalid(wire, f"kapikey-{text}")
        for text in ("foo", "null", token.removeprefix("kauth-"), token + "x", "x" * 10_000):
            await invalid(wire, text)
        assert (await result(wire, {**NOW, "jwt": token}))["now"] > 0

    async def test_an_expired_one(self, wire: Wire) -> None:
        token = (await result(wire, login(ROOT, expiresIn=300)))["jwt"]
        await asyncio.sleep(0.31)
        assert (await invalid(wire, token))["message"] == "Token expired"
        check = {"controller": "auth", "action": "checkToken", "body": {"token": token}}
        assert await result(wire, check) == {"valid": False, "state": "Token expired"}


class TestLogout:
    async def test_the_token_is_dead_on_every_wire(self, server: Server, wire: Wire) -> None:
        token = (await result(wire, login(ROOT)))["jwt"]
        other = (await result(wire, login(ROOT)))["jwt"]
        assert await result(wire, {**LOGOUT, "jwt": token}) == {"acknowledged": True}
        for name in ("http", "websocket", "mqtt-5"):
            elsewhere = await WIRES[name](server.port, server.mqtt_port)
            assert (await invalid(elsewhere, token))["message"] != "Token expired"
            await result(elsewhere, {**NOW, "jwt": other})
            await elsewhere.close()

    async def test_everywhere_ends_all_tokens_but_no_key(self, wire: Wire) -> None:
        tokens = [(await result(wire, login(ROOT)))["jwt"] for _ in range(3)]
        making = {
            "controller": "auth",
            "action": "createApiKey",
            "body": {"description": "for tests"},
            "jwt": tokens[0],
        }
        key = (await result(wire, making))["_source"]["token"]
        await result(wire, {**LOGOUT, "jwt": tokens[0], "global": True})
        for token in tokens:
            await invalid(wire, token)
        await result(wire, {**LOGOUT, "jwt": key})
        assert (await result(wire, {**NOW, "jwt": key}))["now"] > 0

    async def test_anonymous_cannot(self, wire: Wire) -> None:
        await refused(wire, LOGOUT, "security.rights.unauthorized", 401)


class TestRenewal:
    async def test_once(self, wire: Wire) -> None:
        old = await result(wire, login(ROOT))
        new = await result(wire, {**REFRESH, "jwt": old["jwt"], "expiresIn": "2h"})
        assert new.keys() == old.keys()
        assert (new["_id"], new["ttl"]) == ("root-id", 7_200_000)
        assert new["jwt"] != old["jwt"]
        await refused(wire, {**REFRESH, "jwt": old["jwt"]}, "security.token.invalid", 401)
        await result(wire, {**NOW, "jwt": new["jwt"]})

    async def test_not_for_ever(self, wire: Wire) -> None:
        token = (await result(wire, login(ROOT, expiresIn="-1")))["jwt"]
        await refused(wire, {**REFRESH, "jwt": token}, "security.token.refresh_forbidden", 401)


class TestHandedOn:
    async def test_a_token_for_one_use(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ROOT)))["jwt"]
        making = {"controller": "auth", "action": "createToken", "singleUse": True, "jwt": jwt}
        made = await result(wire, making)
        assert made.keys() == {"expiresAt", "singleUse", "token", "ttl"}
        assert made["singleUse"] is True
        await result(wire, {**NOW, "jwt": made["token"]})
        await invalid(wire, made["token"])

    async def test_not_for_ever(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ROOT)))["jwt"]
        making = {"controller": "auth", "action": "createToken", "expiresIn": "-1", "jwt": jwt}
        await refused(wire, making, "security.token.invalid_expiration", 400)

    async def test_api_keys_of_ones_own(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ROOT)))["jwt"]
        auth = {"controller": "auth", "jwt": jwt}
        body = {"description": "one"}
        made = await result(wire, {**auth, "action": "createApiKey", "_id": "k1", "body": body})
        key = made["_source"]["token"]
        assert (made["_id"], made["_source"]["userId"]) == ("k1", "root-id")
        assert (await result(wire, {**NOW, "jwt": key}))["now"] > 0
        found = await result(wire, {**auth, "action": "searchApiKeys", "body": {}})
        assert (found["total"], found["hits"][0]["_id"]) == (1, "k1")
        assert "token" not in found["hits"][0]["_source"]
        assert await result(wire, {**auth, "action": "deleteApiKey", "_id": "k1"}) == {"_id": "k1"}
        await invalid(wire, key)
        again = {**auth, "action": "deleteApiKey", "_id": "k1"}
        await refused(wire, again, "services.storage.not_found", 404)

    async def test_what_kourou_sends_with_as(self, wire: Wire) -> None:
        # Reference: clients 1.2, `--as <kuid>`.
        jwt = (await result(wire, login(ROOT)))["jwt"]
        making = {
            "controller": "security",
            "action": "createApiKey",
            "userId": "ada-id",
            "expiresIn": "2h",
            "refresh": "wait_for",
            "body": {"description": "Kourou impersonation token"},
            "jwt": jwt,
        }
        made = await result(wire, making)
        key = made["_source"]["token"]
        current = {"controller": "auth", "action": "getCurrentUser", "jwt": key}
        assert (await result(wire, current))["_id"] == "ada-id"
        await refused(wire, {**NOW, "jwt": key}, "security.rights.forbidden", 403)
        deleting = {
            "controller": "security",
            "action": "deleteApiKey",
            "userId": "ada-id",
            "_id": made["_id"],
            "jwt": jwt,
        }
        await result(wire, deleting)
        await invalid(wire, key)
        nobody = {**making, "userId": "nobody"}
        await refused(wire, nobody, "security.user.not_found", 404)


class TestWhatIsRefused:
    @pytest.fixture
    async def limited(self, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
        limits = {"access.token_max_ttl_s": 7_200, "access.api_key_max_ttl_s": 7_200}
        async with peopled(**limits) as started:
            yield started

    @pytest.mark.parametrize("name", ["http", "websocket", "mqtt-5"])
    async def test_to_somebody_who_is_logged_in(self, limited: Server, name: str) -> None:
        wire = await WIRES[name](limited.port, limited.mqtt_port)
        jwt = (await result(wire, login(ROOT)))["jwt"]
        making = {"controller": "auth", "action": "createApiKey", "body": {"description": "x"}}
        await result(wire, {**making, "_id": "k1", "expiresIn": "1h", "jwt": jwt})
        for asked, expected in REFUSALS:
            answer = await wire.ask({**asked, "jwt": jwt})
            assert answer["error"] is not None, asked
            assert answer["error"]["id"] == expected, (asked, answer["error"])
        long = await wire.ask(login(ROOT, expiresIn="3h"))
        assert long["error"]["id"] == "security.token.ttl_exceeded"
        await wire.close()

    @pytest.mark.parametrize("name", ["websocket", "mqtt-5"])
    async def test_cookies_where_there_are_none(self, server: Server, name: str) -> None:
        wire = await WIRES[name](server.port, server.mqtt_port)
        jwt = (await result(wire, login(ROOT)))["jwt"]
        for asked in (login(ROOT), {**LOGOUT, "jwt": jwt}, {**REFRESH, "jwt": jwt}):
            await refused(wire, {**asked, "cookieAuth": True}, "security.cookie.unsupported", 500)
        await wire.close()

    async def test_too_many_wrong_passwords(self, wire: Wire) -> None:
        wrong = login({**ADA, "password": "wrong"})
        for _ in range(5):
            await refused(wire, wrong, "plugin.strategy.missing_user", 401)
        await refused(wire, wrong, "api.process.too_many_logins_requests", 429)
        await result(wire, login(ROOT))

    async def test_credentials_of_a_user_who_is_not_there(self, server: Server, wire: Wire) -> None:
        await server.core.register.users.keeping.delete("ada-id", Author())
        await refused(wire, login(ADA), "plugin.strategy.unknown_kuid", 500)


def _asked(controller: str, action: str, **arguments: Any) -> Payload:
    return {"controller": controller, "action": action, **arguments}


_BODY = {"description": "x"}
_HERS = {"userId": "ada-id"}
_INVALID = "api.assert.invalid_argument"
_EXCEEDED = "security.token.ttl_exceeded"
_TAKEN = "services.storage.document_already_exists"
_UNKNOWN = "services.storage.unknown_query_keyword"
_LIMIT = "services.storage.get_limit_exceeded"

REFUSALS = [
    (_asked("auth", "createToken", expiresIn="0"), _INVALID),
    (_asked("auth", "createToken", expiresIn="3h"), _EXCEEDED),
    (_asked("auth", "refreshToken", expiresIn="0"), _INVALID),
    (_asked("auth", "refreshToken", expiresIn="3h"), _EXCEEDED),
    (_asked("auth", "createApiKey", body=_BODY, expiresIn="soon"), _INVALID),
    (_asked("auth", "createApiKey", body=_BODY), _EXCEEDED),
    (_asked("auth", "createApiKey", body={}, expiresIn="1h"), "api.assert.missing_argument"),
    (_asked("auth", "createApiKey", body=_BODY, expiresIn="1h", _id="k1"), _TAKEN),
    (_asked("security", "createApiKey", body=_BODY, expiresIn="soon", **_HERS), _INVALID),
    (_asked("security", "createApiKey", body={}, **_HERS), "api.assert.missing_argument"),
    (_asked("security", "createApiKey", body=_BODY, _id="k1", **_HERS), _TAKEN),
    (_asked("security", "deleteApiKey", _id="k1", **_HERS), "services.storage.not_found"),
    (_asked("auth", "searchApiKeys", body={"nope": {}}), _UNKNOWN),
    (_asked("auth", "searchApiKeys", body={}, size=20_000), _LIMIT),
    (_asked("security", "searchApiKeys", body={"nope": {}}, **_HERS), _UNKNOWN),
    (_asked("security", "searchApiKeys", body={}, size=20_000, **_HERS), _LIMIT),
]


class TestTheEndOfAUser:
    async def test_revoked_tokens(self, wire: Wire) -> None:
        jwt = (await result(wire, login(ROOT)))["jwt"]
        hers = (await result(wire, login(ADA)))["jwt"]
        revoking = {"controller": "security", "action": "revokeTokens", "_id": "ada-id"}
        assert await result(wire, {**revoking, "jwt": jwt}) is None
        await invalid(wire, hers)

    async def test_a_deleted_user_is_nobody(self, server: Server, wire: Wire) -> None:
        hers = (await result(wire, login(ADA)))["jwt"]
        await server.core.register.users.delete("ada-id", Author())
        await invalid(wire, hers)


async def notified(client: RawClient) -> Payload:
    """The next message, which must answer nothing."""
    message = await client.answer()
    assert "requestId" not in message
    return message


class TestExpiry:
    async def test_every_websocket_of_the_token_is_told(self, server: Server) -> None:
        clients = [await RawClient.open(server.port) for _ in range(3)]
        token = await ask_raw(clients[0], login(ROOT, expiresIn=4_000))
        jwt = token["result"]["jwt"]
        for client in clients[:2]:
            await ask_raw(client, {**NOW, "jwt": jwt})
        for client in clients[:2]:
            message = await notified(client)
            assert message.pop("node")
            assert message == {
                "status": 200,
                "info": "This is an automated server notification",
                "message": "Authentication Token Expired",
                "type": "TokenExpired",
                "room": "kuzzle:notification:server",
            }
        # The third one never used it, and all of them are still there.
        for client in clients:
            answer = await ask_raw(client, login(ADA))
            assert answer["status"] == 200
            await client.close()

    async def test_pipes_see_what_it_is_told(self) -> None:
        app = App()

        @app.pipe("notify:server")
        async def add(notification: Any) -> Any:
            return {**notification, "piped": True}

        async with peopled(app) as server:
            client = await RawClient.open(server.port)
            assert (await ask_raw(client, login(ROOT, expiresIn=500)))["status"] == 200
            message = await notified(client)
            assert (message["type"], message["piped"]) == ("TokenExpired", True)
            await client.close()

    @pytest.mark.parametrize("version", [V3_1_1, V5])
    async def test_mqtt_clients_are_told_on_their_own_topic(
        self, server: Server, version: int
    ) -> None:
        async with mqtt_wire.client(server.mqtt_port, version) as client:
            await client.ask(login(ROOT, expiresIn=500))
            assert (await client.answer())["status"] == 200
            message = await client.receive()
            assert isinstance(message, Publish)
            assert message.topic == "kuzzle:notification:server"
            assert json.loads(message.payload)["type"] == "TokenExpired"

    async def test_who_renewed_in_time_is_not_told(self, server: Server) -> None:
        client = await RawClient.open(server.port)
        old = (await ask_raw(client, login(ROOT, expiresIn=3_000)))["result"]["jwt"]
        new = (await ask_raw(client, {**REFRESH, "jwt": old, "expiresIn": "1h"}))["result"]["jwt"]
        await asyncio.sleep(3.2)
        assert (await ask_raw(client, {**NOW, "jwt": new}))["status"] == 200
        await client.close()

    async def test_who_logged_out_is_not_told(self, server: Server) -> None:
        client = await RawClient.open(server.port)
        signed_out: list[str] = []
        server.core.connections.on_signed_out(signed_out.append)
        jwt = (await ask_raw(client, login(ROOT, expiresIn=3_000)))["result"]["jwt"]
        await ask_raw(client, {**LOGOUT, "jwt": jwt})
        assert len(signed_out) == 1
        await asyncio.sleep(3.2)
        assert (await ask_raw(client, login(ADA)))["status"] == 200
        await client.close()

    async def test_nothing_is_kept_of_connections_that_are_gone(self, server: Server) -> None:
        client = await RawClient.open(server.port)
        await ask_raw(client, login(ROOT))
        links = server.core.entrance.papers.links
        assert len(links) == 1
        await client.close()
        await mqtt_wire.until(lambda: len(links) == 0)


async def ask_raw(client: RawClient, payload: Payload) -> Payload:
    """The answer to a request, which must be the next message."""
    client.send(websocket_request(requestId="r", **payload))
    answer = await client.answer()
    assert answer["requestId"] == "r", answer
    return answer
