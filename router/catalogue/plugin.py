"""Errors of the application: pipes, login strategies, controllers."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "plugin.runtime.failed_init": Entry(
        0x04020001,
        500,
        'The plugin "%s" did not start; correct it, or start the router without it.',
    ),
    "plugin.runtime.unexpected_error": Entry(
        0x04020002, 500, "The application raised an error that is not one of its own: %s"
    ),
    "plugin.runtime.pipe_timeout": Entry(
        0x04020003,
        504,
        'Plugin "%s": its pipe on "%s" took longer than %s ms; the request was given up.',
    ),
    "plugin.runtime.too_many_pipes": Entry(
        0x04020004,
        503,
        "As many pipes are at work as the settings allow; this request was not begun.",
    ),
    "plugin.runtime.already_started": Entry(
        0x04020005, 500, '"%s" can be set before the application starts only.'
    ),
    "plugin.runtime.unavailable_before_start": Entry(
        0x04020006, 500, '"%s" can be used once the application has started.'
    ),
    "plugin.runtime.unknown_pipe": Entry(0x04020007, 500, 'No pipe is registered as "%s".'),
    "plugin.runtime.unexpected_installation_error": Entry(
        0x04020008, 500, 'The installation step "%s" failed: %s'
    ),
    "plugin.runtime.incompatible": Entry(
        0x04020009, 500, '"%s" and "%s" exclude each other; use one of them.'
    ),
    "plugin.strategy.invalid_verify_return": Entry(
        0x0403000E, 500, '%s "verify" must be awaitable, but it returned %s.'
    ),
    "plugin.strategy.invalid_verify_resolve": Entry(
        0x0403000F, 500, '%s "verify" must give an object.'
    ),
    "plugin.strategy.invalid_kuid": Entry(
        0x04030010, 500, '%s "verify" must give a user id as text, but it gave a %s.'
    ),
    "plugin.strategy.unknown_kuid": Entry(
        0x04030011, 500, '%s "verify" gave the id of a user who does not exist.'
    ),
    "plugin.strategy.missing_user": Entry(0x04030014, 401, "%s"),
    "plugin.strategy.missing_optional_method": Entry(
        0x04030015, 500, 'The optional method "%s" is not part of the strategy %s.'
    ),
    "plugin.controller.unserializable_response": Entry(
        0x04040008,
        500,
        "What the action returned can't be written as JSON. Did it return the request itself?",
    ),
    "plugin.controller.invalid_action_response": Entry(
        0x04040009, 500, 'The action "%s:%s" returned something that can\'t be awaited.'
    ),
}
