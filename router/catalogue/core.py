"""Errors of the router itself and of realtime subscriptions."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "core.fatal.unexpected_error": Entry(
        0x00000001, 500, "The router met an error it did not expect: %s."
    ),
    "core.fatal.service_unavailable": Entry(
        0x00000002, 500, "A part of the router is not available: %s."
    ),
    "core.fatal.service_timeout": Entry(
        0x00000003, 500, '"%s" did not start within its time limit.'
    ),
    "core.fatal.unreadable_log_dir": Entry(
        0x00000004, 500, "The log folder '%s' can't be read: %s."
    ),
    "core.fatal.assertion_failed": Entry(
        0x00000005, 500, "A condition that must always hold does not: %s"
    ),
    "core.realtime.room_not_found": Entry(0x00010001, 404, 'There is no room "%s".'),
    "core.realtime.invalid_rooms": Entry(0x00010002, 400, '"rooms" takes an array.'),
    "core.realtime.invalid_state": Entry(
        0x00010003, 400, '"state" takes one of "all", "done", "pending".'
    ),
    "core.realtime.invalid_scope": Entry(
        0x00010004, 400, '"scope" takes one of "all", "in", "out", "none".'
    ),
    "core.realtime.invalid_users": Entry(
        0x00010005, 400, '"users" takes one of "all", "in", "out", "none".'
    ),
    "core.realtime.too_many_terms": Entry(
        0x00010006, 413, "Not subscribed: a filter may have %s terms, this one has %s."
    ),
    "core.realtime.too_many_rooms": Entry(
        0x00010007, 413, "Not subscribed: there are as many different rooms as the settings allow."
    ),
    "core.realtime.not_subscribed": Entry(
        0x00010008, 412, 'The user "%s" holds no subscription to "%s".'
    ),
    "core.debugger.not_enabled": Entry(0x00050001, 412, "The debugger is switched off."),
    "core.debugger.monitor_already_running": Entry(
        0x00050002, 412, '"%s" is being monitored already.'
    ),
    "core.debugger.monitor_not_running": Entry(0x00050003, 412, '"%s" is not being monitored.'),
    "core.debugger.native_debug_protocol_usage_denied": Entry(
        0x00050004, 412, "The native debug protocol may not be used here."
    ),
    "core.debugger.method_not_found": Entry(0x00050005, 412, 'The debugger has no method "%s".'),
}
