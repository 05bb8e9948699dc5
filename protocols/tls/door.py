"""A port that speaks TLS: accepts, looks who is there, shakes hands within limits."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from typing import Final, Protocol

import structlog

from protocols.tls.certificates import Certificates
from protocols.tls.identity import has_expired
from protocols.vigil import BACKLOG, keep
from router.addresses import network_of
from router.settings import TlsSettings

_log: Final = structlog.get_logger("trivium.tls")

# RFC 8446, 5.1: the content type of a handshake record, which every TLS connection begins with.
_HANDSHAKE: Final = b"\x16"

_ACCEPTS_PER_TURN: Final = 64

# Out of file descriptors or memory: asyncio's own listeners pause as long.
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S: Final = 1.0

# For the client's half of a good-bye, the time that the plain wires give it.
_SHUTDOWN_S: Final = 2.0


class Host(Protocol):
    """The listener that a door belongs to."""

    def plain_answer(self) -> bytes:
        """What somebody is told who speaks without TLS; may be empty."""

    def make_connection(self) -> asyncio.Protocol:
        """The protocol of a client that was let in."""

    def may_enter(self, address: str) -> bool:
        """Whether that address may have one more connection."""

    def turned_away(self, reason: str) -> None:
        """Told of a client that did not get in; `reason` is a short fixed text."""


class Door:
    """Lets clients in from listening sockets.

    The handshake is begun once the client has said something; until it has ended, the client
    counts as waiting. Of those there are `tls.handshakes` at most, from one address
    `tls.handshakes_per_address`, each for `tls.handshake_timeout_s`.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        host: Host,
        certificates: Certificates,
        settings: TlsSettings,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._host = host
        self._certificates = certificates
        self._settings = settings
        self._waiting: set[asyncio.Task[None]] = set()
        self._waiting_from: dict[str, int] = {}
        for listening in sockets:
            self._loop.add_reader(listening, self._accept, listening)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    @property
    def waiting(self) -> int:
        """Clients whose handshake has not ended."""
        return len(self._waiting)

    def close(self) -> None:
        """Listen no more, and drop whoever waits; those inside stay."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        for task in self._waiting:
            task.cancel()

    # -- inside -------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                client, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._pause(listening, error)
                return
            client.setblocking(False)
            self._greet(client, str(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        _log.error("no more connections for a second", reason=error.strerror)
        self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE_S, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _greet(self, client: socket.socket, address: str) -> None:
        network = network_of(address)
        waiting = self._waiting_from.get(network, 0)
        if (
            len(self._waiting) >= self._settings.handshakes
            or waiting >= self._settings.handshakes_per_address
        ):
            self._turn_away(client, "tls handshakes")
        elif not self._host.may_enter(address):
            self._turn_away(client, "connections of an address")
        else:
            self._waiting_from[network] = waiting + 1
            task = self._loop.create_task(self._let_in(client, address))
            self._waiting.add(task)
            task.add_done_callback(lambda task: self._done(task, network))

    def _done(self, task: asyncio.Task[None], network: str) -> None:
        self._waiting.discard(task)
        left = self._waiting_from[network] - 1
        if left:
            self._waiting_from[network] = left
        else:
            del self._waiting_from[network]

    def _turn_away(self, client: socket.socket, reason: str) -> None:
        client.close()
        self._host.turned_away(reason)

    async def _let_in(self, client: socket.socket, address: str) -> None:
        deadline = self._loop.time() + self._settings.handshake_timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                first = await self._first_byte(client)
        except (OSError, asyncio.CancelledError) as error:
            # TimeoutError is one of them.
            self._turn_away(client, "tls handshake")
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        if not first:
            self._turn_away(client, "tls handshake")
        elif first != _HANDSHAKE:
            self._disappoint(client)
        else:
            await self._shake_hands(client, address, deadline)

    async def _first_byte(self, client: socket.socket) -> bytes:
        # Left in the socket, for who reads on.
        with contextlib.suppress(BlockingIOError):
            return client.recv(1, socket.MSG_PEEK)
        readable = self._loop.create_future()
        self._loop.add_reader(client, _settle, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(client)
        return client.recv(1, socket.MSG_PEEK)

    async def _shake_hands(self, client: socket.socket, address: str, deadline: float) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                self._host.make_connection,
                client,
                ssl=self._certificates.context,
                ssl_handshake_timeout=max(0.001, deadline - self._loop.time()),
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except (OSError, ssl.CertificateError) as error:
            self._host.turned_away("tls handshake")
            _log.debug("handshake failed", address=address, reason=_reason(error))
            return
        if has_expired(transport):
            self._host.turned_away("tls handshake")
            transport.abort()

    def _disappoint(self, client: socket.socket) -> None:
        # Without a wait: whoever doesn't take the few bytes at once goes without.
        with contextlib.suppress(OSError):
            client.recv(65_536)
            client.send(self._host.plain_answer())
            client.shutdown(socket.SHUT_WR)
        self._turn_away(client, "no tls")


async def open_door(
    host: Host, certificates: Certificates, settings: TlsSettings, address: tuple[str, int]
) -> Door:
    """Listen on a host and port; 0 lets the system choose the port.

    Raises:
        OSError: The port is in use, or the address isn't this machine's.
    """
    name, port = address
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, *_, place in dict.fromkeys(found):
            # All at the port that the first one was given.
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_listening(family, (place[0], chosen, *place[2:])))
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    keep(sockets)
    return Door(sockets, host, certificates, settings)


def _listening(family: socket.AddressFamily, place: tuple[object, ...]) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(place)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _settle(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
