"""The log: one line for each event on standard error, with the request it belongs to."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from router.dispatch import CURRENT
from router.settings import LogSettings

if TYPE_CHECKING:
    from typing import TextIO

_SECRET: Final = frozenset({"jwt", "token", "password", "authorization", "cookie", "secret"})


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send this process's log lines, and those of its libraries, to `stream`.

    Call once, at the start. Lines below the level cost a method call.

    Args:
        stream: Standard error if None.
    """
    target = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        _hide_secrets,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=_renderers(settings, target)
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _renderers(settings: LogSettings, target: TextIO) -> list[Processor]:
    clean: Processor = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if settings.format == "json":
        return [
            clean,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    # The plain traceback, since the pretty one shows local variables, and with them tokens.
    console = structlog.dev.ConsoleRenderer(
        colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [clean, console]


def _add_request_id(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    if "request_id" not in line:
        current = CURRENT.get(None)
        if current is not None:
            line["request_id"] = current
    return line


def _hide_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    for key in _SECRET.intersection(line):
        line[key] = "***"
    return line
