"""One router's life: the stores are opened first and closed last, requests are never dropped.

A store that is away lets the router wait for it with open ports: it says that it isn't ready.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from access.audit.writer import AuditOpenError
from access.keyring import KeyringError
from protocols.locality import is_loopback
from router.errors import RouterError
from router.settings import Settings
from router.tasks import ended
from storage.contract import Storage, StoreOpenError
from trivium.app import App
from trivium.assembly import Core, Wires
from trivium.errors import StartError
from trivium.listeners import Listeners
from trivium.sdk import Sdk

__all__ = ["Server", "StartError", "running"]

_log = structlog.get_logger("trivium.server")

# What is cancelled when time is up still gets so many seconds to clean up.
_LEAST_S = 0.1

# A store that takes longer to open is one that is waited for, ports open; most take some ms.
_PATIENCE_S = 0.5

# How often a store is asked again that was open, but went away before it was made ready.
_ASK_EVERY_S = 0.5


class Server:
    """One router with its wires.

    Args:
        storage: Where documents live; None for the store of the settings.
        private: Where users and rights live; see `Core`.

    Raises:
        StartError: The application declares something that can't be served.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        storage: Storage | None = None,
        private: Storage | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.host = settings.server.host
        self.port = 0
        self.mqtt_port = self.mqtt_tls_port = 0
        self._is_ready = False
        self._undo = contextlib.AsyncExitStack()
        try:
            self.core = Core(app, settings, storage, private)
        except (RouterError, ValueError) as error:
            raise StartError(f"the application can't be served: {error}") from error
        self.wires = Wires(self.core, settings, is_ready=self._has_room)
        self._listeners = Listeners(self.wires, settings)

    @property
    def sdk(self) -> Sdk:
        """The API of this router in process."""
        return self.app.sdk

    async def start(self) -> None:
        """Open the store, then listen, or the other way round if the store lets wait for it.

        Until the store is open, `/_ready` and every request are answered with 503. What fails
        on the way is undone.

        Raises:
            StartError: A public address, a folder or port that can't be used.
        """
        async with contextlib.AsyncExitStack() as undo:
            stores = await undo.enter_async_context(contextlib.AsyncExitStack())
            opening = asyncio.create_task(self._open_stores(stores), name="opening of the stores")
            undo.push_async_callback(ended, opening)
            await asyncio.wait({opening}, timeout=_PATIENCE_S)
            if opening.done():
                opening.result()
            self._open_audit(undo)
            self.app.start(self.core.router, self.settings, self.core.ears)
            undo.callback(self.app.stop)
            undo.push_async_callback(self._finish)
            await undo.enter_async_context(self.core.statistics.kept())
            await self._listen_and_open(opening, undo)
            if self.core.audit is not None:
                self.core.audit.serving()
            self._undo = undo.pop_all()
        self._is_ready = True
        self.core.events.tell("kuzzle:state:ready", {"node": self.core.node})
        _log.info("serving", **self._places())
        self._tell_of_messages()

    def _tell_of_messages(self) -> None:
        if self.core.following is not None and self.settings.mqtt.allow_pub_sub:
            _log.warning(
                "messages between MQTT clients stay on this router",
                setting="mqtt.allow_pub_sub",
                advice="other routers on this OpenSearch don't pass them on: use one, or a bridge",
            )

    def _places(self) -> dict[str, object]:
        """Where this router listens, for the log."""
        return {
            "host": self.host,
            "port": self.port,
            "mqtt_port": self.mqtt_port,
            "mqtt_tls_port": self.mqtt_tls_port,
            "tls": self.settings.tls.is_on,
        }

    async def refresh(self) -> None:
        """Read the certificates anew; bad ones are logged, and those before them stay."""
        await self._listeners.refresh()

    async def stop(self) -> None:
        """Let no new work in, finish what was let in (bounded), say good-bye, close the store."""
        self._is_ready = False
        self.core.events.tell("kuzzle:shutdown", {"node": self.core.node})
        _log.info("stopping", requests=self.core.admission.running)
        await self._undo.aclose()
        _log.info("stopped")

    def _has_room(self) -> bool:
        return self._is_ready and not self.core.admission.is_full

    async def _listen_and_open(
        self, opening: asyncio.Task[None], undo: contextlib.AsyncExitStack
    ) -> None:
        if opening.done():
            await self._announce("kuzzle:state:live")
            await self._listen(undo)
            return
        self.core.admission.hold("services.storage.unavailable", "it is not open yet")
        await self._listen(undo)
        _log.warning("waiting for the store", **self._places())
        await opening
        await self._announce("kuzzle:state:live")
        self.core.admission.release()

    async def _announce(self, event: str) -> None:
        try:
            await self.core.events.announce(event, {"node": self.core.node})
        except RouterError as error:
            raise StartError(f"the application failed on {event}: {error}") from error

    async def _open_stores(self, undo: contextlib.AsyncExitStack) -> None:
        try:
            for store in (self.core.storage, self.core.private, self.core.sessions_store):
                if store is None:
                    continue
                await store.open()
                undo.push_async_callback(store.close)
            undo.callback(self.core.register.close)
            undo.push_async_callback(self.core.shelf.close)
            undo.push_async_callback(self.core.realtime.reviews.close)
            undo.push_async_callback(self.core.realtime.past.close)
            if self.core.twins is not None:
                undo.push_async_callback(self.core.twins.close)
            await self._prepare()
            await self.wires.restoring.run()
            self._check_host()
            await undo.enter_async_context(self.core.entrance.kept())
            if self.core.following is not None:
                await undo.enter_async_context(self.core.following.kept_up())
        except (StoreOpenError, RouterError, KeyringError, OSError) as error:
            said = f"the store can't be opened: {error}"
            raise StartError(f"{said} (trivium doctor tells more)") from error

    def _check_host(self) -> None:
        if not is_loopback(self.host) and not self.core.register.directory.has_admin:
            raise StartError(
                f"server.host = {self.host} is a public address, and without an administrator "
                "everybody could do everything: trivium admin create NAME makes one, with the "
                "--config, --data or --storage of this start"
            )

    async def _prepare(self) -> None:
        now = asyncio.get_running_loop().time
        ends = now() + self.settings.opensearch.start_timeout_s
        while True:
            try:
                if self.core.following is not None:
                    await self.core.following.begin()
                await self.core.register.prepare()
                await self.core.entrance.prepare()
                if self.settings.mqtt.allow_pub_sub:
                    await self.core.broker.load()
                return await self.core.engines.prepare()
            except RouterError as error:
                if error.id != "services.storage.unavailable" or now() > ends:
                    raise
            await asyncio.sleep(_ASK_EVERY_S)

    async def _listen(self, undo: contextlib.AsyncExitStack) -> None:
        await self._listeners.start()
        await undo.enter_async_context(self._listeners.watching())
        found = self._listeners
        self.port, self.mqtt_port = found.port, found.mqtt_port
        self.mqtt_tls_port = found.mqtt_tls_port

    def _open_audit(self, undo: contextlib.AsyncExitStack) -> None:
        audit = self.core.audit
        if audit is None:
            return
        try:
            audit.open()
        except AuditOpenError as error:
            raise StartError(f"the audit can't be opened: {error}") from error
        undo.push_async_callback(audit.close)

    async def _finish(self) -> None:
        now = asyncio.get_running_loop().time
        ends = now() + self.settings.server.stop_timeout_s
        self.core.admission.close()
        await asyncio.gather(*(stop(ends - now()) for stop in self._listeners.stops))
        await self.core.admission.drain(max(ends - now(), _LEAST_S))
        await self.core.realtime.deliveries.close(max(ends - now(), _LEAST_S))
        await self.core.ears.close(max(ends - now(), _LEAST_S))
        await self.core.events.settle(max(ends - now(), _LEAST_S))


@contextlib.asynccontextmanager
async def running(
    app: App,
    settings: Settings,
    storage: Storage | None = None,
    private: Storage | None = None,
) -> AsyncIterator[Server]:
    """A router that serves for the time of the block.

    Raises:
        StartError: See `Server`.
    """
    server = Server(app, settings, storage, private)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
