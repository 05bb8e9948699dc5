"""Names of indexes, collections and documents."""

from __future__ import annotations

import re

import pytest

from router.errors import RouterError
from storage.names import check_collection, check_id, check_index, new_id

FORBIDDEN = [*'\\/*?"<>| \t\r\n,+#:.&%', "\x00", "\x1f", "\x7f"]


@pytest.mark.parametrize("name", ["a", "engine-ayse", "_x", "-", "0", "été", "a" * 126, "é" * 63])
def test_good_names_pass(name: str) -> None:
    check_index(name)
    check_collection(name)


@pytest.mark.parametrize(
    "name",
    ["", "_all", "Upper", "É", "a" * 127, "é" * 64, "\ud800", *(f"a{c}b" for c in FORBIDDEN)],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(RouterError) as index:
        check_index(name)
    with pytest.raises(RouterError) as collection:
        check_collection(name)
    assert index.value.id == "services.storage.invalid_index_name"
    assert collection.value.id == "services.storage.invalid_collection_name"
    assert len(index.value.props) == 1
    index.value.message.encode()  # what goes on the wire is always UTF-8


def test_the_refused_name_is_told() -> None:
    with pytest.raises(RouterError) as refused:
        check_index("Upper")
    assert refused.value.props == ["Upper"]
    assert refused.value.status == 400


def test_the_peers_hidden_collection_is_reserved() -> None:
    with pytest.raises(RouterError) as refused:
        check_collection("_kuzzle_keep")
    assert refused.value.id == "services.storage.collection_reserved"
    assert refused.value.props == ["_kuzzle_keep"]


@pytest.mark.parametrize("id", ["a", "_x", "with space", "é" * 256, "a" * 512])
def test_good_ids_pass(id: str) -> None:
    check_id(id)


@pytest.mark.parametrize("id", ["", "a" * 513, "é" * 257, "\ud800"])
def test_ids_that_cannot_be_stored_are_refused(id: str) -> None:
    with pytest.raises(RouterError) as refused:
        check_id(id)
    assert refused.value.id == "services.storage.unexpected_bad_request"


def test_new_ids_are_new_and_fit_everywhere() -> None:
    ids = {new_id() for _ in range(5_000)}
    assert len(ids) == 5_000
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{19}", new) for new in ids)
