"""Errors of the wires."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "network.http.request_too_large": Entry(
        0x03010001, 413, "The HTTP request is larger than the settings allow."
    ),
    "network.http.unexpected_error": Entry(0x03010002, 400, "The HTTP request can't be read: %s"),
    "network.http.too_many_encodings": Entry(
        0x03010003, 400, "The body is encoded more times over than the settings allow."
    ),
    "network.http.unsupported_compression": Entry(
        0x03010004, 400, 'Bodies compressed with "%s" can\'t be read.'
    ),
    "network.http.compression_disabled": Entry(
        0x03010005, 400, "Compressed bodies are switched off."
    ),
    "network.http.unsupported_verb": Entry(
        0x03010006, 400, 'There is nothing to do for the HTTP verb "%s".'
    ),
    "network.http.url_not_found": Entry(0x03010007, 404, "No action is reached by the URL %s."),
    "network.http.unsupported_content": Entry(
        0x03010008, 400, 'The body must be "application/json"; its content type is "%s".'
    ),
    "network.http.unsupported_charset": Entry(
        0x03010009, 400, 'The body must be in "utf-8"; its charset is "%s".'
    ),
    "network.http.duplicate_url": Entry(0x0301000A, 500, "Two actions claim the URL %s."),
    "network.http.volatile_parse_failed": Entry(
        0x0301000B, 400, 'The header "x-kuzzle-volatile" does not hold JSON: %s'
    ),
    "network.http.body_parse_failed": Entry(0x0301000C, 400, "The body is not JSON: %s"),
    "network.http.file_too_large": Entry(
        0x0301000D, 413, "A file in the form is larger than the settings allow."
    ),
    "network.http.stream_closed": Entry(
        0x0301000E, 500, "The stream of the answer was closed before its end."
    ),
    "network.http.stream_errored": Entry(0x0301000F, 500, "The stream of the answer broke: %s"),
    "network.mqtt.unexpected_error": Entry(0x03020001, 400, "The MQTT message can't be read: %s"),
    "network.websocket.unexpected_error": Entry(
        0x03030001, 400, "The WebSocket message can't be read: %s"
    ),
    "network.websocket.ratelimit_exceeded": Entry(
        0x03030002, 429, "This connection sends more requests than the settings allow; slow down."
    ),
    "network.entrypoint.unexpected_event": Entry(
        0x03040001, 500, "The listener met an event it does not know: %s."
    ),
    "network.entrypoint.invalid_port": Entry(0x03040002, 500, "Not a port number: %s."),
    "network.entrypoint.shutting_down": Entry(0x03040003, 503, "The listener is closing."),
}
