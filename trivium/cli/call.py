"""`trivium call`: one API action, its answer, and an exit code that scripts can use."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

import orjson

from router.envelope import Json, JsonObject
from trivium.cli.inference import Given, infer, request_of
from trivium.client import ConnectionFailedError, Protocol, connect, trusting
from trivium.client.routes import NoRouteError
from trivium.errors import AnsweredError


class Target(NamedTuple):
    """Where a call goes, and how its answer is shown. `ca_file` None: the CAs of the system."""

    protocol: Protocol
    host: str
    port: int | None
    timeout_s: float = 30.0
    display: str = "result"
    as_json: bool = False
    has_tls: bool = False
    ca_file: Path | None = None


class BodyError(Exception):
    """A body that can't be read; the message is one line."""


def call(words: list[str], given: Given, target: Target) -> int:
    """Run one action and print its answer; returns the exit code (0 done, 1 failed).

    Raises:
        UsageError: The command line makes no sense (exit code 2; see `inference`).
    """
    inferred = infer(words, given)
    name = f"{inferred.controller}:{inferred.action}"
    try:
        body = read_body(inferred.body)
        request = request_of(inferred, given, body, as_text=target.protocol == "http")
        answer = asyncio.run(_ask(request, target))
    except (BodyError, ConnectionFailedError, NoRouteError) as reason:
        print(f"[X] {reason}", file=sys.stderr)
        return 1
    failure = answer.get("error")
    if isinstance(failure, dict):
        _show_error(failure, as_json=target.as_json)
        return 1
    _print_json(select(answer, target.display))
    if not target.as_json:
        print(f'[✔] Successfully executed "{name}"', file=sys.stderr)
    return 0


def read_body(text: str | None) -> JsonObject | list[Json] | None:
    """The body that a flag means: JSON, `@file`, or `-` for standard input.

    Raises:
        BodyError: It can't be read, or isn't a JSON object or array.
    """
    if text is None:
        return None
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        body = orjson.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BodyError(f"the body can't be read: {error}") from None
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict | list):
        raise BodyError("the body must be a JSON object or array")
    return body


def select(answer: JsonObject, path: str) -> Json:
    """The part of an answer that a dotted path names; null where there is none."""
    part: Json = answer
    for key in path.split(".") if path else []:
        if isinstance(part, dict):
            part = part.get(key)
        elif isinstance(part, list) and key.isdigit() and int(key) < len(part):
            part = part[int(key)]
        else:
            return None
    return part


async def _ask(request: JsonObject, target: Target) -> JsonObject:
    tls = trusting(target.ca_file) if target.has_tls else None
    async with connect(
        target.protocol, target.host, target.port, timeout_s=target.timeout_s, tls=tls
    ) as client:
        return await client.query(request)


def _show_error(error: JsonObject, *, as_json: bool) -> None:
    if as_json:
        _print_json(error)
        return
    failure = AnsweredError(error)
    print(f"[X] {failure.message}", file=sys.stderr)
    print(f"    Error status: {failure.status}", file=sys.stderr)
    print(f"    Error id: {failure.id}", file=sys.stderr)
    items = failure.extra.get("errors")
    for item in items if isinstance(items, list) else []:
        print(f"    {orjson.dumps(item).decode()}", file=sys.stderr)


def _print_json(value: Json) -> None:
    try:
        sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the answer has seen enough; nothing may fail on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
