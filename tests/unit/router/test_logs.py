"""Log lines as a started program writes them: one form, the request's id, no secrets."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from router.dispatch import CURRENT
from router.logs import configure_logging
from router.settings import LogSettings

# As a program does it, in a process of its own.
PROGRAM = """
import asyncio, logging, structlog
from router.dispatch import CURRENT
from router.logs import configure_logging
from router.settings import LogSettings
from tests.support.requests import request

configure_logging(LogSettings(level="{level}", format="{format}"))
log = structlog.get_logger("trivium.test")
log.debug("quiet")
log.info("hello", jwt="s3cret", request=request().replace(jwt="s3cret"))
logging.getLogger("library").warning("%s says so", "a library")
token = CURRENT.set("r-1")
log.info("inside")
log.info("told", request_id="r-2")
CURRENT.reset(token)
def fail(password):
    raise ValueError("two\\nlines")
try:
    fail("s3cret")
except ValueError as error:
    log.error("failed", exc_info=error)
"""


def lines(level: str, format: str) -> list[str]:
    program = PROGRAM.format(level=level, format=format)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    assert "s3cret" not in done.stderr
    return done.stderr.splitlines()


def test_for_machines_each_event_is_one_json_line() -> None:
    written = [json.loads(line) for line in lines("debug", "json")]
    assert [line["event"] for line in written] == [
        "quiet",
        "hello",
        "a library says so",
        "inside",
        "told",
        "failed",
    ]
    assert {key: written[1][key] for key in ("level", "logger", "jwt")} == {
        "level": "info",
        "logger": "trivium.test",
        "jwt": "***",
    }
    assert [line.get("request_id") for line in written] == [None] * 3 + ["r-1", "r-2", None]
    assert "ValueError: two\nlines" in written[5]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in written)


def test_for_eyes_without_colours_where_nobody_looks() -> None:
    written = "\n".join(lines("info", "console"))
    assert "quiet" not in written
    assert "[info     ] hello" in written
    assert "a library says so" in written
    assert "request_id=r-1" in written
    assert "Traceback (most recent call last)" in written
    assert "\x1b" not in written


@pytest.fixture
def restored() -> Iterator[None]:
    """Put the logging of the test run back as it was."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize(
    ("level", "first"), [("info", "info"), ("warning", "warning"), ("error", "error")]
)
def test_lower_levels_are_left_out(format: Any, level: Any, first: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(level=level, format=format), stream)
    log = structlog.get_logger("trivium.test")
    for method in ("debug", "info", "warning", "error"):
        getattr(log, method)(f"a line of {method}")
    logging.getLogger("library").debug("a line of a library")
    assert f"a line of {first}" in stream.getvalue().splitlines()[0]


@pytest.mark.usefixtures("restored")
def test_a_line_belongs_to_the_request_that_runs_unless_it_says_otherwise() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="json"), stream)
    log = structlog.get_logger("trivium.test")
    token = CURRENT.set("r-1")
    log.info("inside")
    log.info("told", request_id="r-2", password="s3cret")
    CURRENT.reset(token)
    log.info("outside")
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("request_id") for line in written] == ["r-1", "r-2", None]
    assert written[1]["password"] == "***"
