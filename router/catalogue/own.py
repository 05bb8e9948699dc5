"""This router's own errors: domain 0x09, and from 0x8000 on in the peer's subdomains."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "network.http.head_too_large": Entry(
        0x03018001, 431, "The request line or a header is longer than %s bytes."
    ),
    "network.http.too_slow": Entry(
        0x03018002, 408, "The request took longer than %s seconds to arrive."
    ),
    "network.http.ratelimit_exceeded": Entry(
        0x03018003, 429, "Your address sends more requests than the settings allow; slow down."
    ),
    "network.mqtt.ratelimit_exceeded": Entry(
        0x03028001, 429, "This connection sends more requests than the settings allow; slow down."
    ),
    "network.entrypoint.too_many_connections": Entry(
        0x03048001, 429, "Your address has more connections than the settings allow."
    ),
    "services.storage.version_conflict": Entry(
        0x01018001,
        409,
        'In "%s":"%s" the document "%s" is not, or did not stay, at the version that this write '
        "is for; it is at %s. Read it again, or raise retryOnConflict.",
    ),
    "services.storage.unavailable": Entry(
        0x01018002, 503, "The search engine is away or too busy (%s); try again shortly."
    ),
    "api.process.idempotency_key_reused": Entry(
        0x02028001, 422, 'The idempotency key "%s" was used before for another request.'
    ),
    "api.process.idempotency_unsupported": Entry(
        0x02028002,
        400,
        'The action "%s:%s" takes no idempotency key; it is for actions on one document.',
    ),
    "api.process.if_version_unsupported": Entry(
        0x02028003,
        400,
        'The action "%s:%s" takes no ifVersion and no If-Match; they are for actions that write '
        "one document.",
    ),
    "trivium.engine.unknown": Entry(
        0x09010001,
        400,
        'The index "%s" is not a device-manager engine; create it with '
        "device-manager/engine:create (POST /_/device-manager/engine/%s).",
    ),
    "trivium.engine.already_exists": Entry(
        0x09010002, 400, 'Device-manager engine on index "%s" already exists'
    ),
    "trivium.engine.missing": Entry(
        0x09010003, 404, 'Device-manager engine on index "%s" does not exist'
    ),
    "trivium.asset.unknown_model": Entry(0x09050001, 404, 'Unknown Asset model "%s".'),
    "trivium.asset.still_linked": Entry(0x09050002, 400, 'Asset "%s" is still linked to devices.'),
    "trivium.credentials.username_required": Entry(0x09110001, 400, "Username required."),
    "trivium.credentials.password_required": Entry(0x09110002, 400, "Password required."),
    "trivium.credentials.nothing_given": Entry(0x09110003, 400, "Missing username or password."),
    "trivium.credentials.name_taken": Entry(0x09110004, 412, 'Login "%s" is already used.'),
    "trivium.credentials.already_exist": Entry(
        0x09110005, 412, 'A strategy already exists for user "%s".'
    ),
    "trivium.credentials.missing": Entry(0x09110006, 412, 'No credentials found for user "%s".'),
    "trivium.feed.gone": Entry(
        0x09020001,
        410,
        'The position "%s" is no longer in the changes feed; start again from a snapshot.',
    ),
    "trivium.feed.too_many_readers": Entry(
        0x09020002,
        429,
        "%s subscriptions read the past already; ask again once one of them is at the present.",
    ),
    "trivium.origin.refused": Entry(0x09030001, 403, "%s"),
    "trivium.search.too_long_a_scroll": Entry(
        0x09200001,
        429,
        "The scroll would hold %s documents; %s more fit now. Narrow the search, or page through "
        "it with search_after.",
    ),
    "trivium.search.too_many_scrolls": Entry(
        0x09200002, 429, "%s scrolls are open; read them to their end, or let them expire."
    ),
    "trivium.audit.unavailable": Entry(
        0x09080001,
        503,
        "The audit can't be written, and the settings (audit.when_failing) let nothing go on "
        "without it; try again shortly.",
    ),
    "trivium.unsupported.feature": Entry(0x09040001, 501, "%s is not supported by this store."),
}
