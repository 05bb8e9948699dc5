"""Requests give their arguments in the types that actions ask for, or the peer's errors."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from router.envelope import ABSENT, Connection, Request, Response, refusal
from router.errors import RouterError
from tests.support.requests import refused, request

MISSING = "api.assert.missing_argument"
TYPE = "api.assert.invalid_type"


class TestNames:
    def test_index_and_collection_are_read_where_they_are_text(self) -> None:
        asked = request(index="fleet", collection="assets")
        assert (asked.index, asked.collection) == ("fleet", "assets")

    @pytest.mark.parametrize("value", [None, 3, [], {}])
    def test_otherwise_they_are_none(self, value: Any) -> None:
        asked = request(index=value, collection=value)
        assert (asked.index, asked.collection) == (None, None)

    def test_a_name_is_non_empty_text(self) -> None:
        assert request(_id="a1").name("_id") == "a1"

    @pytest.mark.parametrize("args", [{}, {"_id": None}, {"_id": ""}])
    def test_a_missing_name_is_refused(self, args: dict[str, Any]) -> None:
        assert refused(lambda: request(**args).name("_id")) == (MISSING, ["_id"])

    def test_a_name_of_another_type_is_refused(self) -> None:
        assert refused(lambda: request(_id=1).name("_id")) == (TYPE, ["_id", "string"])

    @pytest.mark.parametrize("args", [{}, {"_id": None}, {"_id": ""}])
    def test_a_new_document_may_leave_its_id_to_the_store(self, args: dict[str, Any]) -> None:
        assert request(**args).new_id() is None

    def test_a_new_id_has_no_leading_underscore(self) -> None:
        assert request(_id="a_1").new_id() == "a_1"
        assert refused(lambda: request(_id="_a").new_id()) == ("api.assert.invalid_id", [])


class TestStrings:
    def test_a_default_stands_in_for_what_is_missing(self) -> None:
        assert request().string("lang", "elasticsearch") == "elasticsearch"
        assert request().string("lang", None) is None

    def test_without_a_default_it_must_be_there(self) -> None:
        assert refused(lambda: request().string("lang")) == (MISSING, ["lang"])

    def test_empty_text_is_text(self) -> None:
        assert request(lang="").string("lang") == ""


class TestIntegers:
    @pytest.mark.parametrize(
        ("given", "read"),
        [(7, 7), ("7", 7), ("1e3", 1000), (7.0, 7), ("-0.0", 0), (2**53 - 1, 2**53 - 1)],
    )
    def test_whole_numbers_in_any_form(self, given: Any, read: int) -> None:
        assert request(size=given).integer("size", 10) == read

    @pytest.mark.parametrize(
        "given", [True, 1.5, "x", "", "nan", "inf", 2**53, -(2**53), [1], {}, float("inf")]
    )
    def test_anything_else_is_refused(self, given: Any) -> None:
        assert refused(lambda: request(size=given).integer("size", 1)) == (
            TYPE,
            ["size", "integer"],
        )

    def test_the_default(self) -> None:
        assert request(size=None).integer("size", 10) == 10


class TestFlags:
    @pytest.mark.parametrize(("given", "read"), [(True, True), (False, False), (None, False)])
    def test_a_boolean_counts_by_its_value(self, given: Any, read: bool) -> None:
        assert request(source=given).flag("source") is read

    @pytest.mark.parametrize("given", ["true", 1, "", {}])
    def test_another_type_is_refused(self, given: Any) -> None:
        assert refused(lambda: request(source=given).flag("source")) == (
            TYPE,
            ["source", "boolean"],
        )

    @pytest.mark.parametrize("given", [False, "false", "", "true", 0])
    def test_over_http_presence_counts(self, given: Any) -> None:
        assert request(wire="http", source=given).flag("source") is True

    def test_over_http_absence_is_off(self) -> None:
        assert request(wire="http").flag("source") is False


class TestRefresh:
    @pytest.mark.parametrize("given", [None, False, "false"])
    def test_lenient_off(self, given: Any) -> None:
        assert request(refresh=given).refresh_lenient() is False

    @pytest.mark.parametrize("given", ["wait_for", True, "", "true", 0.5])
    def test_lenient_on(self, given: Any) -> None:
        assert request(refresh=given).refresh_lenient() is True

    @pytest.mark.parametrize(
        ("args", "read"),
        [({}, False), ({"refresh": "false"}, False), ({"refresh": "wait_for"}, True)],
    )
    def test_strict(self, args: dict[str, Any], read: bool) -> None:
        assert request(**args).refresh_strict() is read

    def test_strict_refuses_everything_else(self) -> None:
        assert refused(request(refresh=True).refresh_strict) == (TYPE, ["refresh", "string"])
        (refusal_id, _) = refused(request(refresh="true").refresh_strict)
        assert refusal_id == "services.storage.invalid_argument"


class TestBody:
    def test_the_object(self) -> None:
        assert request(body={"a": 1}).body_object() == {"a": 1}
        assert request(body={}).body_object() == {}

    def test_none_and_array_are_refused(self) -> None:
        assert refused(request().body_object) == ("api.assert.body_required", [])
        assert refused(request(body=[]).body_object) == (TYPE, ["body", "object"])

    def test_text_in_it(self) -> None:
        asked = request(body={"model": "Container", "empty": "", "n": 1})
        assert asked.body_string("model") == "Container"
        assert asked.body_string("gone", "x") == "x"
        assert asked.body_name("model") == "Container"
        assert refused(lambda: asked.body_string("gone")) == (MISSING, ["body.gone"])
        assert refused(lambda: asked.body_string("n")) == (TYPE, ["body.n", "string"])
        assert refused(lambda: asked.body_name("empty")) == (MISSING, ["body.empty"])

    def test_objects_in_it(self) -> None:
        asked = request(body={"metadata": {"a": 1}, "n": 1})
        assert asked.body_field("metadata") == {"a": 1}
        assert asked.body_field("gone", {}) == {}
        assert refused(lambda: asked.body_field("gone")) == (MISSING, ["body.gone"])
        assert refused(lambda: asked.body_field("n")) == (TYPE, ["body.n", "object"])


class TestRequest:
    def test_it_gets_an_id_and_a_time_of_its_own(self) -> None:
        first, second = request(), request()
        assert first.request_id != second.request_id
        assert second.timestamp >= first.timestamp > 1_600_000_000_000

    def test_a_changed_one_leaves_the_first_as_it_was(self) -> None:
        first = request(index="a")
        assert first.replace(args={"index": "b"}).index == "b"
        assert first.index == "a"

    def test_a_copy_shares_no_json(self) -> None:
        first = Request(
            controller="a",
            action="b",
            connection=Connection(id="1", wire="mqtt"),
            args={"x": [1]},
            body={"y": {}},
            volatile={"z": []},
        )
        second = copy.deepcopy(first)
        assert second == first
        assert second.args["x"] is not first.args["x"]
        assert second.body is not first.body
        assert second.volatile is not first.volatile
        assert second.connection is first.connection

    def test_its_text_shows_no_secret(self) -> None:
        asked = Request(
            controller="auth",
            action="login",
            connection=Connection(id="1", wire="http", headers={"authorization": "Bearer s3cret"}),
            body={"password": "s3cret"},
            jwt="s3cret",
        )
        assert "s3cret" not in repr(asked)
        assert "auth:login" in repr(asked)


class TestResponse:
    def test_a_refusal_carries_the_error_and_an_id(self) -> None:
        error = RouterError("network.websocket.unexpected_error", "bad")
        assert refusal(error, request_id="r1") == Response(
            request_id="r1", status=400, error=error.to_json()
        )
        assert refusal(error).request_id != refusal(error).request_id

    def test_null_is_a_result_and_absent_is_none(self) -> None:
        assert Response(request_id="1", status=200).result is None
        assert isinstance(ABSENT, msgspec.UnsetType)
