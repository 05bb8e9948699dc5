"""A router error carries what clients read: id, code, status, message, values."""

from __future__ import annotations

import pytest

from router.errors import RouterError


def test_the_error_object() -> None:
    error = RouterError("services.storage.not_found", "a1", "fleet", "assets")
    assert error.to_json() == {
        "code": 0x0101000B,
        "id": "services.storage.not_found",
        "message": error.message,
        "props": ["a1", "fleet", "assets"],
        "status": 404,
    }
    assert '"a1"' in str(error)
    assert "%s" not in str(error)


def test_a_partial_failure_lists_its_parts() -> None:
    error = RouterError("services.storage.import_failed", errors=[{"_id": "a"}], count=1)
    assert error.to_json() | {"errors": [{"_id": "a"}], "count": 1} == error.to_json()


def test_an_id_outside_the_catalogue_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        RouterError("no.such.error")
