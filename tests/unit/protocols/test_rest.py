"""From the head and body of an HTTP message to a request, and from a response to bytes."""

from __future__ import annotations

import pytest

from protocols.codec.answer import Answer, answer_of, common_lines, encode_answer
from protocols.codec.frame import FrameLimits
from protocols.codec.rest import Head, Rules, bearer, decode, head_of
from protocols.codec.route import RouteTable
from router.envelope import Connection, Request, Response
from router.errors import RouterError
from tests.support.small_router import small_table

RULES = Rules(RouteTable(small_table()), FrameLimits(), 3)
CONNECTION = Connection("c", "http", "127.0.0.1")


def head(target: str, *headers: tuple[str, str], verb: str = "GET") -> Head:
    return head_of(verb, target, headers)


def read(read_head: Head, body: bytes = b"") -> Request:
    return decode(read_head, body, connection=CONNECTION, rules=RULES, new_id="new")


class TestHead:
    def test_names_in_lower_case_and_repeats_joined(self) -> None:
        found = head("/", ("X-A", "1"), ("x-a", "2"), ("Host", "localhost"))
        assert found.headers == {"x-a": "1, 2", "host": "localhost"}

    def test_path_and_query(self) -> None:
        found = head("//a//b/?x=1#f")
        assert (found.path, found.query) == ("/a/b", "x=1")

    def test_the_authority_of_an_absolute_target_is_the_host(self) -> None:
        found = head("http://evil.example:1/a?b", ("Host", "localhost"))
        assert (found.path, found.query, found.headers["host"]) == ("/a", "b", "evil.example:1")
        assert head("http://evil.example").path == "/"

    @pytest.mark.parametrize(
        ("raw", "text"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café"), (b"\xff", "ÿ")]
    )
    def test_header_bytes_are_utf8_else_latin(self, raw: bytes, text: str) -> None:
        found = head("/", ("X-A", raw.decode("utf-8", "surrogateescape")))
        assert found.headers["x-a"] == text

    def test_pretty_is_a_key_of_its_own(self) -> None:
        assert head("/?pretty").is_pretty
        assert head("/?a=1&pretty=false").is_pretty
        assert not head("/?prettyplease").is_pretty
        assert not head("/?a=pretty").is_pretty


class TestBearer:
    @pytest.mark.parametrize(
        ("header", "token"),
        [
            ("Bearer t", "t"),
            ("bearer t", "t"),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer  t", None),
            ("Bearer a b", None),
            ("Token t", None),
            ("", None),
        ],
    )
    def test_scheme_and_token(self, header: str, token: str | None) -> None:
        assert bearer({"authorization": header}) == token


class TestDecode:
    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("Authorization", "Bearer t")],
            [("X-Kuzzle-Request-Id", "mine")],
            [("Authorization", "Bearer t"), ("X-Kuzzle-Request-Id", "mine")],
        ],
    )
    @pytest.mark.parametrize("body", [b"", b'{"a":1}', b"[1]"])
    def test_the_short_way_comes_to_the_same_as_the_long_one(
        self, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        path = "/_/device-manager/i/assets/a"
        short = read(head(path, *headers, verb="PUT"), body)
        # A query makes it take the long way, this one adds nothing.
        long = read(head(f"{path}?&", *headers, verb="PUT"), body)
        assert short == long.replace(timestamp=short.timestamp)
        assert short.args == {"index": "i", "_id": "a"}

    def test_the_id_is_that_of_header_then_query_then_new(self) -> None:
        own = ("X-Kuzzle-Request-Id", "header")
        assert read(head("/_now?requestId=query", own)).request_id == "header"
        assert read(head("/_now?requestId=query")).request_id == "query"
        assert read(head("/_now?requestId=")).request_id == "new"
        assert read(head("/_now")).request_id == "new"

    def test_routes_give_no_argument_twice(self) -> None:
        request = read(head("/i/c/d?jwt=t&timestamp=1&controller=x&action=y&index=z"))
        assert request.args == {"index": "i", "collection": "c", "_id": "d"}
        assert (request.controller, request.action, request.jwt) == ("document", "get", "t")

    def test_a_body_of_its_own_wins_over_a_search_body(self) -> None:
        target = "/i/c/_search?searchBody=%7B%7D"
        assert read(head(target), b'{"query":{}}').body == {"query": {}}
        assert read(head(target)).body == {}
        assert read(head("/i/c/_search?searchBody=")).body is None

    @pytest.mark.parametrize("target", ["/\udcff", "/_now?\udcff", "/_now?a=\ud800"])
    def test_a_url_that_is_not_utf8(self, target: str) -> None:
        with pytest.raises(RouterError) as caught:
            read(head(target))
        assert caught.value.id == "network.http.unexpected_error"


class TestEncode:
    @staticmethod
    def lines(answer: Answer, asked: Head | None = None, *, is_allowed: bool = True) -> list[str]:
        data = encode_answer(
            answer,
            asked,
            common=common_lines("n", hsts_s=0),
            date="d",
            connection="",
            is_allowed=is_allowed,
        )
        return data.partition(b"\r\n\r\n")[0].decode().split("\r\n")

    @pytest.mark.parametrize(
        "name",
        [
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Content-Type",
            "Content-Type\u200b:",
        ],
    )
    def test_an_action_does_not_frame_the_answer(self, name: str) -> None:
        lines = self.lines(Answer(200, b"{}", "r", {name: "evil"}))
        assert not any("evil" in line for line in lines)
        assert "Content-Length: 2" in lines

    @pytest.mark.parametrize("text", ["a\r\nEvil: 1", "a\nEvil: 1", "a\u2028Evil: 1", "a\x00"])
    def test_nothing_splits_the_head(self, text: str) -> None:
        asked = head("/", ("Origin", text))
        lines = self.lines(Answer(200, b"", text, {"X-A": text, text: "1"}), asked)
        assert not any(line.lower().startswith("evil") for line in lines)
        assert all(line.isprintable() for line in lines)

    def test_an_origin_that_may_not_read_is_not_echoed(self) -> None:
        asked = head("/", ("Origin", "http://a"))
        allowed = self.lines(Answer(200, b"", "r", {}), asked)
        refused = self.lines(Answer(200, b"", "r", {}), asked, is_allowed=False)
        assert "Access-Control-Allow-Origin: http://a" in allowed
        assert not any(line.startswith("Access-Control-Allow-Origin") for line in refused)
        assert "Vary: Origin" in refused

    def test_a_status_without_a_phrase(self) -> None:
        assert self.lines(Answer(299, b"", "r", {}))[0] == "HTTP/1.1 299 "

    @pytest.mark.parametrize("target", ["/", "/?pretty"])
    def test_a_result_that_is_no_json_is_an_error_in_the_head_too(self, target: str) -> None:
        response = Response(request_id="r", status=200, result={"a": object()})  # type: ignore[dict-item]
        answer = answer_of(response, head(target), "n")
        assert answer.status == 500
        assert b"plugin.controller.unserializable_response" in answer.body

    def test_text_that_is_no_unicode_is_sent_all_the_same(self) -> None:
        response = Response(request_id="\udcff", status=200, result={"a": "\ud800"})
        answer = answer_of(response, head("/?pretty"), "n")
        assert b"?" in answer.body or b"\xef\xbf\xbd" in answer.body
        assert self.lines(answer)
