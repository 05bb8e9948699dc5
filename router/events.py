"""Pipes and hooks: what an application hangs on the events of the router."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from router.envelope import Json, Request
from router.errors import RouterError

Listener: TypeAlias = Callable[..., "object | Awaitable[object]"]

_SEGMENTS: Final = ("before", "after")


class Exchange:
    """The payload of `<controller>:before<Action>` and its kin: a request and its outcome.

    A pipe may set `request` (before), `result` (after), and `result` with `error` None
    (error: the failure is then taken for handled).
    """

    __slots__ = ("error", "request", "result")

    def __init__(
        self, request: Request, result: Json = None, error: RouterError | None = None
    ) -> None:
        self.request = request
        self.result = result
        self.error = error


class Events:
    """The listeners of one application, by event name, wildcards resolved.

    Names are the peer's: `document:beforeUpdate`, `document:before*`, `document:*`,
    `device-manager:asset:update:before`.
    """

    def __init__(self, on_hook_error: Callable[[str, BaseException], None] | None = None) -> None:
        self._pipes: dict[str, list[Listener]] = {}
        self._hooks: dict[str, list[Listener]] = {}
        self._resolved: dict[tuple[bool, str], tuple[Listener, ...]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._on_hook_error = on_hook_error

    def add_pipe(self, event: str, listener: Listener) -> None:
        """Call `listener(payload)` on every such event; what it returns is the next payload."""
        self._pipes.setdefault(event, []).append(listener)
        self._resolved.clear()

    def add_hook(self, event: str, listener: Listener) -> None:
        """Call `listener(payload)` after the pipes of every such event, without waiting for it."""
        self._hooks.setdefault(event, []).append(listener)
        self._resolved.clear()

    def heard(self, event: str) -> bool:
        """Whether anybody listens to the event; if not, nothing need be prepared for it."""
        return bool(self._find(False, event) or self._find(True, event))

    async def trigger(self, event: str, payload: object) -> object:
        """Run the pipes of the event one after the other, then start its hooks.

        Returns the last payload. Every listener gets a copy of its own, so that what it does
        to it behind the router's back changes nothing.

        Raises:
            RouterError: As a pipe raised it; any other exception of a pipe becomes
                `plugin.runtime.unexpected_error`.
        """
        for pipe in self._find(False, event):
            payload = await _run(pipe, detached(payload))
        for hook in self._find(True, event):
            task = asyncio.ensure_future(self._run_hook(event, hook, detached(payload)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return payload

    async def settle(self, timeout_s: float) -> None:
        """Wait for the hooks that still run, at most so long, then cancel them."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=timeout_s)
        for task in late:
            task.cancel()

    def _find(self, hooks: bool, event: str) -> tuple[Listener, ...]:
        found = self._resolved.get((hooks, event))
        if found is None:
            table = self._hooks if hooks else self._pipes
            names = (event, *_wildcards(event))
            found = tuple(listener for name in names for listener in table.get(name, ()))
            self._resolved[hooks, event] = found
        return found

    async def _run_hook(self, event: str, hook: Listener, payload: object) -> None:
        try:
            outcome = hook(payload)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as error:  # noqa: BLE001 - a boundary: hooks never fail a request
            if self._on_hook_error is not None:
                self._on_hook_error(event, error)


def detached(payload: object) -> object:
    """A copy of a payload that shares nothing mutable with it."""
    if isinstance(payload, Exchange):
        request = payload.request.replace(
            args=copy.deepcopy(payload.request.args), body=copy.deepcopy(payload.request.body)
        )
        return Exchange(request, copy.deepcopy(payload.result), payload.error)
    return copy.deepcopy(payload)


async def _run(pipe: Listener, payload: object) -> object:
    try:
        outcome = pipe(payload)
        return await outcome if inspect.isawaitable(outcome) else outcome
    except RouterError:
        raise
    except Exception as error:  # a boundary: whatever an application's pipe raises
        raise RouterError("plugin.runtime.unexpected_error", str(error) or repr(error)) from error


def _wildcards(event: str) -> tuple[str, ...]:
    scope, _, last = event.rpartition(":")
    if not scope:
        return ()
    segments = [f"{scope}:{part}*" for part in _SEGMENTS if last.startswith(part)]
    return (*segments, f"{scope}:*")
