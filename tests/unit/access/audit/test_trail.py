"""The trail keeps what the settings ask for, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from access.audit.entry import Entry
from access.audit.journal import Journal
from access.audit.selection import Scope, Selection, keeps_out, reads
from access.audit.trail import Trail
from router.dispatch import failed, succeeded
from router.envelope import Connection, Reply, Request, User
from router.errors import RouterError
from router.places import engine, named
from router.settings import Settings
from storage.memory import MemoryStorage
from tests.support.audits import NOON, Clock, writer_of
from tests.support.requests import action, request
from trivium.app import App
from trivium.assembly import Core


class Kept(Journal):
    """A journal whose thread was never started: what was put in stays to be looked at."""

    @property
    def entries(self) -> list[Entry]:
        return list(self._queue)


async def nothing(_: Request) -> None:
    return None


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    clock = Clock()
    return Kept(writer_of(tmp_path, clock), clock, sync="never", waiting=100)


def trail(kept: Kept, scope: Scope = "security", *, refuses: bool = False) -> Trail:
    return Trail(Selection(scope), kept, Clock(), refuses=refuses)


def answer(
    kept: Kept,
    name: str,
    error: str | None = None,
    *,
    scope: Scope = "security",
    made: Request | None = None,
    **rest: Any,
) -> None:
    asked = made or request(name)
    props = ["x"] * 3
    answered = (
        succeeded(asked, Reply(result={}))
        if error is None
        else failed(asked, RouterError(error, *props))
    )
    trail(kept, scope).answered(action(name, nothing, **rest), asked, answered)


class TestSelection:
    @pytest.mark.parametrize("name", ["security:createUser", "auth:login", "admin:resetSecurity"])
    def test_what_is_about_rights_is_always_kept(self, kept: Kept, name: str) -> None:
        answer(kept, name)
        answer(kept, name, "security.user.not_found")
        assert [(it.outcome, it.error) for it in kept.entries] == [
            ("allowed", None),
            ("failed", "security.user.not_found"),
        ]

    @pytest.mark.parametrize(
        "error",
        [
            "security.rights.unauthorized",
            "security.rights.forbidden",
            "security.token.invalid",
            "security.cookie.invalid",
            "trivium.origin.refused",
            "api.process.unauthorized_origin",
            "api.process.too_many_logins_requests",
            "plugin.strategy.missing_user",
        ],
    )
    def test_whoever_is_kept_out_is_kept_here(self, kept: Kept, error: str) -> None:
        answer(kept, "document:get", error)
        assert [(it.outcome, it.error) for it in kept.entries] == [("refused", error)]
        assert keeps_out(error)

    @pytest.mark.parametrize(
        "error", [None, "services.storage.not_found", "api.assert.body_required"]
    )
    def test_nothing_else_is(self, kept: Kept, error: str | None) -> None:
        answer(kept, "document:update", error)
        assert kept.entries == []

    def test_writes_are_where_the_settings_say_so(self, kept: Kept) -> None:
        for name in ("document:update", "document:get", "index:create", "nightly:run"):
            answer(kept, name, scope="writes")
        assert [it.action for it in kept.entries] == ["update", "create", "run"]

    def test_everything_is_where_the_settings_say_so(self, kept: Kept) -> None:
        answer(kept, "server:now", scope="all")
        assert len(kept.entries) == 1

    def test_an_unknown_action_is_kept_only_if_somebody_was_kept_out(self, kept: Kept) -> None:
        asked = request("made:up")
        error = RouterError("api.process.controller_not_found", "made")
        trail(kept, "all").answered(None, asked, failed(asked, error))
        assert kept.entries == []


class TestLogin:
    def test_it_is_told_by_whom(self, kept: Kept) -> None:
        asked = request("auth:login")
        done = succeeded(asked, Reply(result={"_id": "ada", "jwt": "hush"}))
        trail(kept, "security").answered(action("auth:login", nothing), asked, done)
        (entry,) = kept.entries
        assert (entry.kuid, entry.outcome) == ("ada", "allowed")
        assert b"hush" not in msgspec.json.encode(entry)

    def test_one_that_fails_is_nobodys(self, kept: Kept) -> None:
        answer(kept, "auth:login", "plugin.strategy.missing_user")
        assert kept.entries[0].kuid == "-1"


class TestEntry:
    def test_it_says_who_did_what_to_what_from_where(self, kept: Kept) -> None:
        asked = Request(
            controller="security",
            action="updateUser",
            connection=Connection("c7", "mqtt", "10.0.0.9", client_id="lamp"),
            request_id="r1",
            args={"index": "fleet", "collection": "assets", "_id": "Truck-1", "secret": "s3cr3t"},
            body={"password": "s3cr3t"},
            jwt="kauth-s3cr3t",
            volatile={"token": "s3cr3t"},
            user=User("ada", ("default",)),
        )
        answer(kept, "security:updateUser", made=asked, places=named)
        (entry,) = kept.entries
        assert msgspec.to_builtins(entry) == {
            "action": "updateUser",
            "address": "10.0.0.9",
            "at": NOON,
            "by": "token",
            "client": "lamp",
            "collection": "assets",
            "connection": "c7",
            "controller": "security",
            "error": None,
            "id": "Truck-1",
            "index": "fleet",
            "kuid": "ada",
            "outcome": "allowed",
            "requestId": "r1",
            "status": 200,
            "wire": "mqtt",
        }
        assert b"s3cr3t" not in msgspec.json.encode(entry)

    def test_every_index_that_is_named_counts(self, kept: Kept) -> None:
        asked = request("security:x", index="one", engineId="two")
        answer(kept, "security:x", made=asked, places=engine)
        assert [it.index for it in kept.entries] == ["one,two"]

    @pytest.mark.parametrize(
        ("jwt", "user", "wire", "by"),
        [
            (None, "-1", "http", "none"),
            ("kauth-x", "ada", "http", "token"),
            ("kapikey-x", "ada", "http", "apiKey"),
            (None, "ada", "mqtt", "connection"),
            (None, "", "internal", "application"),
        ],
    )
    def test_how_the_user_was_known(
        self, kept: Kept, jwt: str | None, user: str, wire: str, by: str
    ) -> None:
        asked = request("auth:x", wire=wire).replace(jwt=jwt, user=User(user))
        answer(kept, "auth:x", made=asked)
        assert [(it.by, it.kuid) for it in kept.entries] == [(by, user)]

    def test_a_user_whom_a_certificate_names(self, kept: Kept) -> None:
        mine = Connection("c1", "mqtt", certified="ada")
        asked = request("auth:x").replace(connection=mine, user=User("ada"))
        answer(kept, "auth:x", made=asked)
        assert [it.by for it in kept.entries] == ["certificate"]

    def test_a_token_that_is_not_good_names_nobody(self, kept: Kept) -> None:
        asked = request("document:get").replace(jwt="forged")
        answer(kept, "document:get", "security.token.invalid", made=asked)
        assert [it.kuid for it in kept.entries] == [None]

    def test_whom_a_wire_turned_away(self, kept: Kept) -> None:
        told = trail(kept)
        stranger = Connection("c1", "http", "10.0.0.9")
        told.turned_away(stranger, "r1", RouterError("trivium.origin.refused", "no"))
        told.turned_away(stranger, "r2", RouterError("network.http.request_too_large"))
        assert [(it.requestId, it.address, it.status) for it in kept.entries] == [
            ("r1", "10.0.0.9", 403)
        ]


class TestFailing:
    @pytest.mark.parametrize("name", ["auth:login", "security:createUser"])
    def test_nothing_is_done_that_can_not_be_audited_where_the_settings_say_so(
        self, kept: Kept, name: str
    ) -> None:
        strict = trail(kept, refuses=True)
        asked = action(name, nothing)
        strict.check(asked)
        kept.is_failing = True
        with pytest.raises(RouterError) as refused:
            strict.check(asked)
        assert refused.value.id == "trivium.audit.unavailable"
        strict.check(action("document:get", nothing))
        trail(kept).check(asked)
        strict.answered(asked, request(name), failed(request(name), refused.value))
        assert kept.entries == [], "there is nothing to write to"


class TestReading:
    @pytest.mark.parametrize("name", ["get", "mGet", "search", "list", "count", "exists", "now"])
    def test_names_of_actions_that_read(self, name: str) -> None:
        assert reads(name)

    @pytest.mark.parametrize("name", ["getaway", "listen", "mCreate", "isolate", "login", "import"])
    def test_every_other_name_counts_as_writing(self, name: str) -> None:
        assert not reads(name)

    def test_no_action_of_the_table_that_writes_counts_as_reading(self) -> None:
        table = Core(App(), Settings(), MemoryStorage()).table
        writing = {
            f"{it.controller}:{it.name}"
            for it in table
            if it.order_key or {route.verb for route in it.routes} & {"PUT", "PATCH", "DELETE"}
        }
        assert len(writing) > 15
        assert [name for name in writing if reads(name.partition(":")[2])] == []
