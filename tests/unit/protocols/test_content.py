"""Request bodies by content type and coding, and the coding of answers."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest

from protocols.codec.compression import compress, decompress, preferred
from protocols.codec.content import decode_body
from protocols.codec.frame import FrameLimits
from router.envelope import Json
from router.errors import RouterError

LIMITS = FrameLimits(max_bytes=4_096, max_depth=8, max_keys=20)


def read(body: bytes, **headers: str) -> Json:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_body(body, named, LIMITS, max_layers=3)


def refused(body: bytes, **headers: str) -> RouterError:
    with pytest.raises(RouterError) as caught:
        read(body, **headers)
    return caught.value


class TestJson:
    def test_without_content_type(self) -> None:
        assert read(b'{"a":1}') == {"a": 1}

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            'application/json;charset="utf-8"',
            "application/json; x=y",
        ],
    )
    def test_with_content_type(self, content_type: str) -> None:
        assert read(b"[1]", content_type=content_type) == [1]

    def test_empty_body(self) -> None:
        assert read(b"", content_type="application/json") is None
        assert read(b"null") is None

    def test_bad_json_gives_its_first_fifty_characters_back(self) -> None:
        error = refused(b'{"metadata":' + b"x" * 100)
        assert error.id == "network.http.body_parse_failed"
        assert error.props == ['{"metadata":' + "x" * 38]

    @pytest.mark.parametrize(
        "body", [b"{", b"NaN", b"\xff\xfe", b'{"a":\xff}', b"[" * 10 + b"]" * 10, b'"\xed\xa0\x80"']
    )
    def test_what_is_no_json_or_too_deep(self, body: bytes) -> None:
        assert refused(body).id == "network.http.body_parse_failed"

    def test_the_excerpt_may_cut_a_character(self) -> None:
        assert refused("é".encode() * 300).props == ["é" * 50]


class TestContentType:
    def test_another_type(self) -> None:
        error = refused(b"x", content_type="text/plain")
        assert (error.id, error.status, error.props) == (
            "network.http.unsupported_content",
            400,
            ["text/plain"],
        )

    @pytest.mark.parametrize("charset", ["latin1", "utf-16", "iso-8859-1", ""])
    def test_another_charset(self, charset: str) -> None:
        error = refused(b"{}", content_type=f"application/json; charset={charset}")
        assert (error.id, error.props) == ("network.http.unsupported_charset", [charset])


class TestUrlencoded:
    TYPE = "application/x-www-form-urlencoded"

    def test_texts_and_arrays(self) -> None:
        body = b"a=1&b=x+y%20z&b=2&b=3&empty"
        expected = {"a": "1", "b": ["x y z", "2", "3"], "empty": ""}
        assert read(body, content_type=self.TYPE) == expected

    @pytest.mark.parametrize("body", [b"a=\xff", b"&".join([b"a=1"] * 21)])
    def test_not_utf8_or_too_many_fields(self, body: bytes) -> None:
        assert refused(body, content_type=self.TYPE).id == "network.http.unexpected_error"


class TestMultipart:
    TYPE = "multipart/form-data; boundary=XX"

    @staticmethod
    def part(head: bytes, content: bytes) -> bytes:
        return b"--XX\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"

    def test_text_and_file(self) -> None:
        content = bytes(range(256)) + b"\r\n--X\r\n"
        body = (
            self.part(b'name="who"', "Zoë".encode())
            + self.part(b'name="f"; filename="a.bin"\r\nContent-Type: image/png', content)
            + b"--XX--\r\n"
        )
        assert read(body, content_type=self.TYPE) == {
            "who": "Zoë",
            "f": {
                "filename": "a.bin",
                "encoding": "image/png",
                "file": base64.b64encode(content).decode(),
            },
        }

    def test_repeated_names_and_quoted_boundary(self) -> None:
        body = self.part(b'name="a"', b"1") + self.part(b'name="a"', b"2") + b"--XX--"
        form = read(body, content_type='multipart/form-data; boundary="XX"')
        assert form == {"a": ["1", "2"]}

    def test_names_as_browsers_escape_them(self) -> None:
        body = self.part(b'name="a%22b"', b"1") + b"--XX--"
        assert read(body, content_type=self.TYPE) == {'a"b': "1"}

    def test_cut_anywhere_is_refused(self) -> None:
        whole = self.part(b'name="a"', b"1") + self.part(b'name="b"', b"2") + b"--XX--"
        for length in range(1, len(whole)):
            error = refused(whole[:length], content_type=self.TYPE)
            assert error.id == "network.http.unexpected_error", length

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"--XX--", "multipart/form-data"),
            (b"nothing", TYPE),
            (b"--XX\r\n\r\nno name\r\n--XX--", TYPE),
            (b"--XXjunk\r\n\r\n\r\n--XX--", TYPE),
            (b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--XX--', TYPE),
        ],
    )
    def test_malformed(self, body: bytes, content_type: str) -> None:
        assert refused(body, content_type=content_type).id == "network.http.unexpected_error"

    def test_too_many_parts(self) -> None:
        body = self.part(b'name="a"', b"1") * 21 + b"--XX--"
        assert "more than 20" in refused(body, content_type=self.TYPE).message
        body = self.part(b'name="a"', b"1") * 20 + b"--XX--"
        assert read(body, content_type=self.TYPE) == {"a": ["1"] * 20}


class TestContentEncoding:
    JSON = b'{"a":1}'

    def test_each_coding(self) -> None:
        assert read(gzip.compress(self.JSON), content_encoding="gzip") == {"a": 1}
        assert read(zlib.compress(self.JSON), content_encoding="deflate") == {"a": 1}
        assert read(self.JSON, content_encoding="identity") == {"a": 1}

    def test_layers_are_undone_last_first(self) -> None:
        body = gzip.compress(zlib.compress(self.JSON))
        assert read(body, content_encoding="deflate, identity, GZIP") == {"a": 1}
        assert refused(body, content_encoding="gzip, deflate").id == "network.http.unexpected_error"

    def test_gzip_of_several_members(self) -> None:
        body = gzip.compress(b'{"a"') + gzip.compress(b":1}")
        assert read(body, content_encoding="gzip") == {"a": 1}

    def test_too_many_layers(self) -> None:
        error = refused(self.JSON, content_encoding="gzip,gzip,gzip,gzip")
        assert (error.id, error.status) == ("network.http.too_many_encodings", 400)

    def test_unknown_coding(self) -> None:
        error = refused(self.JSON, content_encoding="br")
        assert (error.id, error.props) == ("network.http.unsupported_compression", ["br"])

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_corrupt_or_cut_data(self, coding: str) -> None:
        body = compress(self.JSON * 20, "gzip" if coding == "gzip" else "deflate")
        assert refused(b"nonsense", content_encoding=coding).id == "network.http.unexpected_error"
        for length in range(1, len(body)):
            assert refused(body[:length], content_encoding=coding).id == (
                "network.http.unexpected_error"
            )

    def test_a_bomb_is_refused_at_the_limit(self) -> None:
        bomb = gzip.compress(b" " * 50_000_000)
        error = refused(bomb, content_encoding="gzip")
        assert (error.id, error.status) == ("network.http.request_too_large", 413)

    def test_a_bomb_of_two_layers_is_refused_at_the_first(self) -> None:
        bomb = gzip.compress(gzip.compress(b" " * 20_000_000) + b" " * 5_000)
        error = refused(bomb, content_encoding="gzip,gzip")
        assert error.id == "network.http.request_too_large"

    def test_the_limit_is_a_length_that_passes(self) -> None:
        body = gzip.compress(b'"' + b"x" * (LIMITS.max_bytes - 2) + b'"')
        plain = decompress(body, "gzip", max_layers=1, max_bytes=LIMITS.max_bytes)
        assert len(plain) == LIMITS.max_bytes
        with pytest.raises(RouterError) as caught:
            decompress(body, "gzip", max_layers=1, max_bytes=LIMITS.max_bytes - 1)
        assert caught.value.id == "network.http.request_too_large"


class TestAcceptEncoding:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("gzip", "gzip"),
            ("deflate", "deflate"),
            ("gzip, deflate", "gzip"),
            ("deflate, gzip", "gzip"),
            ("gzip;q=0.5, deflate;q=0.8", "deflate"),
            ("gzip;q=0, deflate", "deflate"),
            ("gzip;q=0", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("*", "gzip"),
            ("*;q=0", None),
            ("gzip;q=0, *", "deflate"),
            ("x-gzip", "gzip"),
            ("br", None),
            ("", None),
            ("identity", None),
            ("gzip;q=nonsense", None),
            ("gzip;q=9", None),
            ("GZIP;Q=0.1", "gzip"),
        ],
    )
    def test_weights(self, header: str, expected: str | None) -> None:
        assert preferred(header) == expected
