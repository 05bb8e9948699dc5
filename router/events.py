"""Pipes and hooks: what an application hangs on the events of the router."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias, cast

import structlog

from router.copies import copied
from router.envelope import Json, Request
from router.errors import RouterError

Listener: TypeAlias = Callable[..., "object | Awaitable[object]"]

_SEGMENTS: Final = ("before", "after")

_log: Final = structlog.get_logger("trivium.events")


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

    def __deepcopy__(self, memo: dict[int, object]) -> Exchange:
        request = copy.deepcopy(self.request, memo)
        return Exchange(request, cast("Json", copied(self.result, memo)), self.error)


class Listeners(NamedTuple):
    """Who hears one event, in the order they are called."""

    pipes: tuple[Listener, ...]
    hooks: tuple[Listener, ...]


_NOBODY: Final = Listeners((), ())


class Events:
    """The listeners of one application, by event name, wildcards resolved.

    Names are the peer's: `document:beforeUpdate`, `document:before*`, `document:*`,
    `device-manager:asset:update:before`.

    Args:
        on_hook_error: Told of what a hook raised; None: it is logged.
        hooks_max: Hooks that run at a time; one more is not called, which counts as its error.
    """

    def __init__(
        self,
        on_hook_error: Callable[[str, BaseException], None] | None = None,
        *,
        hooks_max: int = 10_000,
    ) -> None:
        self._pipes: dict[str, list[Listener]] = {}
        self._hooks: dict[str, list[Listener]] = {}
        self._resolved: dict[str, Listeners] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._on_hook_error = on_hook_error or _log_hook_error
        self._hooks_max = hooks_max

    def add_pipe(self, event: str, listener: Listener) -> None:
        """Call `listener(payload)` on every such event; what it returns is the next payload."""
        self._pipes.setdefault(event, []).append(listener)
        self._resolved.clear()

    def add_hook(self, event: str, listener: Listener) -> None:
        """Call `listener(payload)` after the pipes of every such event, without waiting for it."""
        self._hooks.setdefault(event, []).append(listener)
        self._resolved.clear()

    @property
    def is_silent(self) -> bool:
        """Whether nobody listens to anything."""
        return not self._pipes and not self._hooks

    def heard(self, event: str) -> bool:
        """Whether anybody listens to the event; if not, nothing need be prepared for it."""
        found = self._resolved.get(event)
        return (self._resolve(event) if found is None else found) is not _NOBODY

    async def trigger(
        self, event: str, payload: object, *more: object, may_drop: bool = False
    ) -> object:
        """Run the pipes of the event one after the other, then start its hooks.

        What comes after the payload is handed to each listener as well, always the same.

        Returns the last payload, which is None if the last pipe returned nothing. Every
        listener gets a copy of its own, so that what it does to it behind the router's back
        changes nothing. With `may_drop` a pipe that returns nothing is the last one, and the
        hooks don't hear of what it dropped.

        Raises:
            RouterError: As a pipe raised it; any other exception of a pipe, and a pipe that
                returns nothing to the next one, become `plugin.runtime.unexpected_error`.
        """
        listeners = self._resolved.get(event) or self._resolve(event)
        for place, pipe in enumerate(listeners.pipes):
            if payload is None and place:
                raise _broken(f"a pipe on {event} returned nothing for the next one to work on")
            payload = await _run(event, pipe, copied(payload), *map(copied, more))
            if payload is None and may_drop:
                return None
        for hook in listeners.hooks:
            self._start(event, hook, payload, *more)
        return payload

    async def announce(self, event: str, payload: object) -> None:
        """Run all that listens to the event, one after the other; what it returns means nothing.

        Raises:
            RouterError: As `trigger`.
        """
        listeners = self._resolved.get(event) or self._resolve(event)
        for listener in (*listeners.pipes, *listeners.hooks):
            await _run(event, listener, copied(payload))

    def tell(self, event: str, payload: object) -> None:
        """Start all that listens to the event, as hooks: nothing waits for it."""
        listeners = self._resolved.get(event) or self._resolve(event)
        for listener in (*listeners.pipes, *listeners.hooks):
            self._start(event, listener, payload)

    async def settle(self, timeout_s: float) -> None:
        """Wait for the hooks that still run, at most so long; then cancel them and wait again."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        late = list(self._running)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout_s)

    def _start(self, event: str, hook: Listener, *payload: object) -> None:
        if len(self._running) >= self._hooks_max:
            self._on_hook_error(event, RouterError("api.process.overloaded"))
            return
        task = asyncio.ensure_future(self._run_hook(event, hook, *map(copied, payload)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _resolve(self, event: str) -> Listeners:
        names = (event, *_wildcards(event))
        found = Listeners(
            tuple(listener for name in names for listener in self._pipes.get(name, ())),
            tuple(listener for name in names for listener in self._hooks.get(name, ())),
        )
        self._resolved[event] = found if any(found) else _NOBODY
        return self._resolved[event]

    async def _run_hook(self, event: str, hook: Listener, *payload: object) -> None:
        try:
            outcome = hook(*payload)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as error:  # noqa: BLE001 - a boundary: hooks never fail a request
            self._on_hook_error(event, error)


def is_cancelled() -> bool:
    """Whether the running task itself is to end, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _run(event: str, pipe: Listener, *payload: object) -> object:
    try:
        outcome = pipe(*payload)
        return await outcome if inspect.isawaitable(outcome) else outcome
    except RouterError:
        raise
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise _broken(f"what a pipe on {event} waited for was cancelled") from None
    except Exception as error:  # a boundary: whatever an application's pipe raises
        _log.error("pipe failed", event_name=event, exc_info=error)
        raise _broken(str(error) or repr(error)) from error


def _broken(reason: str) -> RouterError:
    return RouterError("plugin.runtime.unexpected_error", reason)


def _log_hook_error(event: str, error: BaseException) -> None:
    _log.error("hook failed", event_name=event, exc_info=error)


def _wildcards(event: str) -> tuple[str, ...]:
    scope, _, last = event.rpartition(":")
    if not scope:
        return ()
    segments = [f"{scope}:{part}*" for part in _SEGMENTS if last.startswith(part)]
    return (*segments, f"{scope}:*")
