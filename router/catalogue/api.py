"""Errors of requests: their arguments, and how they are processed."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "api.assert.invalid_type": Entry(0x02010001, 400, '"%s" has the wrong type; expected: %s'),
    "api.assert.invalid_argument": Entry(
        0x02010002, 400, '"%s" has a value that is not accepted; expected: %s'
    ),
    "api.assert.missing_argument": Entry(0x02010003, 400, 'The argument "%s" is missing.'),
    "api.assert.empty_argument": Entry(0x02010004, 400, 'The argument "%s" must not be empty.'),
    "api.assert.mutually_exclusive": Entry(0x02010005, 400, 'Give either "%s" or "%s", not both.'),
    "api.assert.too_many_arguments": Entry(
        0x02010006, 400, '"%s" holds more values than one request may.'
    ),
    "api.assert.unexpected_argument": Entry(
        0x02010007, 400, 'There is no argument "%s" here; there are: %s'
    ),
    "api.assert.body_required": Entry(0x02010008, 400, "The request needs a body."),
    "api.assert.unexpected_type_assertion": Entry(
        0x02010009, 500, 'There is no type check "%s" for the attribute "%s".'
    ),
    "api.assert.invalid_id": Entry(0x0201000A, 400, 'An "_id" can\'t begin with an underscore.'),
    "api.assert.forbidden_argument": Entry(
        0x0201000B, 400, 'This action does not take the argument "%s".'
    ),
    "api.assert.koncorde_unknown_keyword": Entry(
        0x0201000C,
        400,
        'Filters have no keyword "%s". Is this perhaps a query of the search engine?',
    ),
    "api.assert.koncorde_restricted_keyword": Entry(
        0x0201000D, 400, 'The %s "%s" works in realtime filters, but not in searches.'
    ),
    "api.assert.koncorde_dsl_error": Entry(0x0201000E, 400, "%s"),
    "api.assert.forbidden_stream": Entry(
        0x0201000F, 500, "Only a request that came over HTTP can be answered with a stream."
    ),
    "api.assert.unsupported_protocol": Entry(
        0x02010010, 500, 'Over %s, the action "%s" can\'t be used.'
    ),
    "api.process.action_locked": Entry(
        0x02020001, 412, 'The action "%s" is at work already; wait until it has finished.'
    ),
    "api.process.overloaded": Entry(
        0x02020002,
        503,
        "The router has more work than it can take; this request was not begun. Try again shortly.",
    ),
    "api.process.connection_dropped": Entry(
        0x02020003, 400, "The client's connection ended before the answer."
    ),
    "api.process.controller_not_found": Entry(0x02020004, 404, 'There is no controller "%s".'),
    "api.process.action_not_found": Entry(
        0x02020005, 404, 'The controller "%s" has no action "%s".'
    ),
    "api.process.incompatible_sdk_version": Entry(
        0x02020006, 400, "This client is of SDK version %s; the router speaks with %s."
    ),
    "api.process.shutting_down": Entry(
        0x02020007, 503, "The router is stopping and takes no new requests."
    ),
    "api.process.too_many_requests": Entry(
        0x02020008, 429, "This user sends more requests than the settings allow; slow down."
    ),
    "api.process.admin_exists": Entry(0x02020009, 412, "There is an administrator already."),
    "api.process.incomplete_multiple_request": Entry(
        0x0202000A, 400, "Of the %s actions, at least one failed."
    ),
    "api.process.not_enough_nodes": Entry(
        0x0202000B,
        503,
        "Too few nodes of the cluster are up; requests are refused until more join.",
    ),
    "api.process.unauthorized_origin": Entry(
        0x0202000C, 401, 'Pages of the origin "%s" may not call this router.'
    ),
    "api.process.too_many_logins_requests": Entry(
        0x0202000D, 429, "Too many attempts to log in; try again later."
    ),
    "api.process.forbidden_embedded_sdk_action": Entry(
        0x0202000E, 500, "The application itself can't call %s:%s%s."
    ),
}
