"""Any body under any headers gives a value or a documented error; what was written comes back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from protocols.codec.compression import compress, decompress, preferred
from protocols.codec.content import decode_body
from protocols.codec.frame import FrameLimits
from router.errors import RouterError

LIMITS = FrameLimits(max_bytes=2_000)
TEXTS = st.text(st.characters(codec="utf-8"))
TYPES = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "multipart/form-data",
        "application/json; charset=utf-8",
    ]
)
DOCUMENTED = {
    "network.http.unsupported_content",
    "network.http.unsupported_charset",
    "network.http.body_parse_failed",
    "network.http.request_too_large",
    "network.http.unexpected_error",
    "network.http.too_many_encodings",
    "network.http.unsupported_compression",
}


@given(
    st.binary(max_size=3_000) | st.builds(lambda b: b"--a\r\n" + b + b"\r\n--a--", st.binary()),
    TYPES | st.text(),
    st.none() | st.sampled_from(["gzip", "deflate", "identity", "gzip,deflate"]) | st.text(),
)
def test_any_bytes_give_a_value_or_a_documented_error(
    body: bytes, content_type: str, coding: str | None
) -> None:
    headers = {"content-type": content_type}
    if coding is not None:
        headers["content-encoding"] = coding
    outcome = "a value"
    try:
        decode_body(body, headers, LIMITS, max_layers=3)
    except RouterError as error:
        outcome = error.id
    assert outcome in DOCUMENTED | {"a value"}


@given(
    st.binary(max_size=2_000),
    st.lists(st.sampled_from(["gzip", "deflate", "identity"]), min_size=1, max_size=3),
)
def test_layers_of_codings_come_off(body: bytes, codings: list[str]) -> None:
    packed = body
    for coding in codings:
        if coding != "identity":
            packed = compress(packed, "gzip" if coding == "gzip" else "deflate")
    plain = decompress(packed, ",".join(codings), max_layers=3, max_bytes=4_000)
    assert plain == body


@given(st.dictionaries(TEXTS, TEXTS | st.integers(-(2**53), 2**53) | st.none(), max_size=8))
def test_json_comes_back(value: dict[str, object]) -> None:
    body = json.dumps(value).encode()
    limits = FrameLimits(max_bytes=len(body))
    assert decode_body(body, {}, limits, max_layers=1) == value


@given(st.dictionaries(st.sampled_from("abcd"), TEXTS.filter(lambda t: "--B" not in t)))
def test_a_form_comes_back(form: dict[str, str]) -> None:
    body = b"".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in form.items()
    )
    headers = {"content-type": "multipart/form-data; boundary=B"}
    limits = FrameLimits(max_bytes=100_000)
    assert decode_body(body + b"--B--\r\n", headers, limits, max_layers=1) == form


@given(st.text())
def test_any_accept_encoding_gives_a_coding_or_none(header: str) -> None:
    assert preferred(header) in ("gzip", "deflate", None)
