"""The catalogue keeps the numbers that clients know, and sentences that can be filled."""

from __future__ import annotations

from collections import Counter

import pytest

from router.catalogue import CATALOGUE, Entry

# Kuzzle reference 1.3: code = domain << 24 | subdomain << 16 | number.
SUBDOMAINS = {
    "core.fatal": 0x0000,
    "core.realtime": 0x0001,
    "core.debugger": 0x0005,
    "services.storage": 0x0101,
    "services.cache": 0x0103,
    "services.statistics": 0x0104,
    "services.koncorde": 0x0105,
    "api.assert": 0x0201,
    "api.process": 0x0202,
    "network.http": 0x0301,
    "network.mqtt": 0x0302,
    "network.websocket": 0x0303,
    "network.entrypoint": 0x0304,
    "plugin.runtime": 0x0402,
    "plugin.strategy": 0x0403,
    "plugin.controller": 0x0404,
    "validation.assert": 0x0501,
    "validation.check": 0x0503,
    "security.token": 0x0701,
    "security.credentials": 0x0702,
    "security.rights": 0x0703,
    "security.user": 0x0704,
    "security.role": 0x0705,
    "security.profile": 0x0706,
    "security.cookie": 0x0707,
    "trivium.engine": 0x0901,
    "trivium.feed": 0x0902,
    "trivium.origin": 0x0903,
    "trivium.unsupported": 0x0904,
    "trivium.asset": 0x0905,
    "trivium.credentials": 0x0911,
    "trivium.search": 0x0920,
    "trivium.audit": 0x0908,
}

STATUSES = {206, 400, 401, 403, 404, 408, 409, 410, 412, 413, 422, 429, 431, 500, 501, 503, 504}


def test_no_code_is_given_out_twice() -> None:
    repeated = [code for code, n in Counter(e.code for e in CATALOGUE.values()).items() if n > 1]
    assert repeated == []


@pytest.mark.parametrize("id", CATALOGUE)
def test_the_high_bytes_of_a_code_are_those_of_its_id(id: str) -> None:
    prefix, _, name = id.rpartition(".")
    assert name
    assert CATALOGUE[id].code >> 16 == SUBDOMAINS[prefix]
    assert CATALOGUE[id].code & 0xFFFF, "numbers start at 1"


@pytest.mark.parametrize(
    ("id", "code", "status"),
    [
        ("api.assert.missing_argument", 33619971, 400),
        ("services.storage.not_found", 16842763, 404),
        ("security.rights.forbidden", 117637122, 403),
        ("security.token.invalid", 117506049, 401),
        ("core.fatal.unexpected_error", 0x00000001, 500),
        ("services.storage.import_failed", 0x01010005, 206),
        ("plugin.runtime.pipe_timeout", 0x04020003, 504),
        ("api.process.overloaded", 0x02020002, 503),
        ("services.storage.version_conflict", 0x01018001, 409),
        ("api.process.idempotency_key_reused", 0x02028001, 422),
        ("trivium.unsupported.feature", 0x09040001, 501),
    ],
)
def test_numbers_that_clients_rely_on(id: str, code: int, status: int) -> None:
    assert CATALOGUE[id][:2] == (code, status)


def test_every_status_is_one_that_clients_expect() -> None:
    assert {entry.status for entry in CATALOGUE.values()} <= STATUSES


def test_the_expired_token_says_what_clients_compare_with() -> None:
    assert CATALOGUE["security.token.expired"].template == "Token expired"


@pytest.mark.parametrize("id", CATALOGUE)
def test_a_sentence_takes_its_values_in_order(id: str) -> None:
    entry = CATALOGUE[id]
    places = entry.template.count("%s")
    assert entry.template.count("%") == places, "no other placeholder"
    message = entry.render([f"<{place}>" for place in range(places)])
    assert "%s" not in message
    positions = [message.index(f"<{place}>") for place in range(places)]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("id", "places"),
    [
        ("services.storage.not_found", 3),
        ("services.storage.strict_mapping_rejection", 3),
        ("services.storage.wrong_es_static_settings_for_collection_recreation", 6),
        ("api.assert.invalid_type", 2),
        ("api.process.forbidden_embedded_sdk_action", 3),
        ("security.role.unknown_action", 4),
        ("plugin.runtime.pipe_timeout", 3),
        ("security.rights.forbidden", 3),
        ("api.assert.body_required", 0),
    ],
)
def test_number_of_values(id: str, places: int) -> None:
    assert CATALOGUE[id].template.count("%s") == places


def test_missing_values_leave_their_place_and_surplus_ones_are_left_out() -> None:
    entry = Entry(1, 400, "%s and %s.")
    assert entry.render(["one"]) == "one and %s."
    assert entry.render(["one", 2, "three"]) == "one and 2."


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert Entry(1, 400, "%s and %s.").render(["%s", "two"]) == "%s and two."
