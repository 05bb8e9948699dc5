"""What a notification takes of the write that it tells of."""

from __future__ import annotations

from realtime.notices import of_write
from storage.contract import Verb, Written
from tests.support.stores import a_write

NOT_JSON = b"{"


def test_what_was_replaced_is_not_read_to_tell_that_there_was_something() -> None:
    verbs: tuple[Verb, ...] = ("upsert", "create_or_replace")
    told = [
        of_write(a_write(verb, "one"), Written(id="one", version=2, source={}, replaced=old), {})
        for verb in verbs
        for old in (None, NOT_JSON)
    ]
    assert [each.content["action"] for each in told] == ["create", "update", "create", "replace"]
