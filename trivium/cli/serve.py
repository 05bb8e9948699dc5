"""`trivium serve`: from flags to a router that runs until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.logs import configure_logging
from router.settings import BadSettingError, Settings, load
from trivium.app import App
from trivium.appfile import AppFileError, load_app
from trivium.cli.startup import settle
from trivium.ports import next_free
from trivium.server import Server, StartError

# Read when --config isn't given and the file is there.
DEFAULT_CONFIG: Final = Path("trivium.toml")

# The setting that says where each engine's documents are.
_PLACES: Final = {"sqlite": "storage.data", "opensearch": "opensearch.nodes"}

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of a start; None where one wasn't given."""

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    mqtt_port: int | None = None
    data: Path | None = None
    storage: str | None = None
    auto_port: bool = False


def serve(app_file: Path | None, flags: Flags) -> None:
    """Serve the application of a file, or none, until SIGTERM or SIGINT.

    Raises:
        StartError: The start failed; one line says why.
    """
    app, settings = prepare(app_file, flags)
    serve_app(app, settings)


def prepare(app_file: Path | None, flags: Flags) -> tuple[App, Settings]:
    """The application and the settings of a start; logging is set up. Raises: StartError."""
    settings = read_settings(flags)
    configure_logging(settings.log)
    return make_app(app_file), settings


def make_app(file: Path | None) -> App:
    """The application to serve. Raises: StartError."""
    try:
        return App() if file is None else load_app(file)
    except AppFileError as error:
        raise StartError(str(error)) from error


def read_settings(flags: Flags) -> Settings:
    """The settings of this start, ports chosen if they may be. Raises: StartError."""
    file = flags.config
    if file is None and DEFAULT_CONFIG.is_file():
        file = DEFAULT_CONFIG
    named = {
        "server.host": flags.host,
        "server.port": flags.port,
        "mqtt.port": flags.mqtt_port,
        "storage.data": flags.data,
        **engine_of(flags.storage),
    }
    given = {key: value for key, value in named.items() if value is not None}
    try:
        settings = load(file, os.environ, given)
        return with_free_ports(settings) if flags.auto_port else settings
    except (BadSettingError, OSError) as error:
        raise StartError(str(error)) from error


def engine_of(storage: str | None) -> dict[str, object]:
    """The settings that `sqlite:FOLDER` or `opensearch:URL` stands for. Raises: StartError."""
    if storage is None:
        return {}
    engine, colon, place = storage.partition(":")
    if not colon or not place or engine not in _PLACES:
        raise StartError(f"{storage}: expected sqlite:FOLDER or opensearch:URL")
    return {"storage.engine": engine, _PLACES[engine]: place}


def with_free_ports(settings: Settings) -> Settings:
    """These settings, each port that is in use replaced by the next one that is free.

    Raises:
        OSError: There is none, or the address isn't this machine's.
    """
    host = settings.server.host
    port = next_free(host, settings.server.port)
    mqtt_port = next_free(host, settings.mqtt.port, taken=frozenset({port}))
    taken = frozenset({port, mqtt_port})
    tls_port = next_free(host, settings.mqtt.tls_port, taken=taken)
    mqtt = {"port": mqtt_port, "tls_port": tls_port}
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"port": port}),
            "mqtt": settings.mqtt.model_copy(update=mqtt),
        }
    )


def serve_app(
    app: App, settings: Settings, meanwhile: Callable[[Server], Awaitable[None]] | None = None
) -> None:
    """Serve an application until SIGTERM or SIGINT; a second signal ends it at once.

    Args:
        meanwhile: Runs beside the router once that serves; what it raises ends both.

    Raises:
        StartError: The start failed.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(app, settings, meanwhile))


async def _serve(
    app: App, settings: Settings, meanwhile: Callable[[Server], Awaitable[None]] | None
) -> None:
    server = Server(app, settings)
    told = _told_to_stop(server.core.leaving)
    if not await _started(server, told):
        return
    refreshing = _refreshing(server)
    settle()
    try:
        if meanwhile is None:
            await told.wait()
        else:
            await _until(told, meanwhile(server))
    finally:
        refreshing.cancel()
        await server.stop()


async def _started(server: Server, told: asyncio.Event) -> bool:
    """Whether it serves; False if it was told to stop while it waited for its store."""
    starting = asyncio.ensure_future(server.start())
    stopping = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        await asyncio.wait({starting})
    finally:
        stopping.cancel()
    if starting.cancelled():
        return False
    starting.result()
    return True


async def _until(told: asyncio.Event, work: Awaitable[None]) -> None:
    waiting = asyncio.ensure_future(told.wait())
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            await waiting
    finally:
        for task in (waiting, working):
            task.cancel()
        await asyncio.gather(waiting, working, return_exceptions=True)


def _told_to_stop(told: asyncio.Event) -> asyncio.Event:
    """The same event, which signals set as well from now on."""
    loop = asyncio.get_running_loop()

    def tell(signal_number: int) -> None:
        if told.is_set():
            # Told twice: whoever asks doesn't want to wait for the requests at work.
            os._exit(128 + signal_number)
        told.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, tell, number)
    return told


def _refreshing(server: Server) -> asyncio.Task[None]:
    # With TLS, SIGHUP is the wish of whoever has renewed a certificate; else it ends the program.
    told = asyncio.Event()
    if server.settings.tls.is_on:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told.set)

    async def refresh() -> None:
        while True:
            await told.wait()
            told.clear()
            await server.refresh()

    return asyncio.create_task(refresh())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - it isn't everywhere
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
