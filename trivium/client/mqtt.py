"""The MQTT client, on `paho-mqtt`, driven by the event loop instead of paho's thread."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Final

import orjson
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from router.envelope import JsonObject
from trivium.client.exchange import Answers, Client, ConnectionFailedError

REQUEST_TOPIC: Final = "Kuzzle/request"
_TICK_S: Final = 1.0


class MqttClient:
    """Publishes requests on `Kuzzle/request`; their answers are pushed to it."""

    def __init__(self, *, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers = Answers(timeout_s)
        self._timeout_s = timeout_s
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._ticker: asyncio.Task[None] | None = None
        self._paho = Paho(CallbackAPIVersion.VERSION2)
        self._paho.connect_timeout = timeout_s
        self._is_secure = tls is not None
        if tls is not None:
            self._paho.tls_set_context(tls)
        self._listen(self._loop)

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises: ConnectionFailedError."""
        where = f"mqtt{'s' if self._is_secure else ''}://{host}:{port}"
        try:
            self._paho.connect(host, port)
            self._ticker = asyncio.create_task(self._tick())
            async with asyncio.timeout(self._timeout_s):
                await self._connected
        except (OSError, TimeoutError, ConnectionFailedError) as error:
            await self.close()
            reason = str(error) or "no answer"
            raise ConnectionFailedError(f"no router at {where}: {reason}") from None

    async def query(self, request: JsonObject) -> JsonObject:
        """The whole answer to a request. Raises: ConnectionFailedError."""
        request, answer = self._answers.expect(request)
        self._paho.publish(REQUEST_TOPIC, orjson.dumps(request), qos=1)
        return await self._answers.wait(answer)

    async def close(self) -> None:
        """Send DISCONNECT and let go of the connection."""
        if self._paho.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            await asyncio.wait([self._closed], timeout=self._timeout_s)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        paho = self._paho
        paho.on_connect = lambda _paho, _context, _flags, reason, _more: self._answered(reason)
        paho.on_disconnect = lambda _paho, _context, _flags, reason, _more: self._lost(reason)
        paho.on_message = lambda _paho, _context, message: self._received(message.payload)
        paho.on_socket_open = lambda _paho, _context, at: loop.add_reader(at.fileno(), self._read)
        paho.on_socket_close = lambda _paho, _context, at: _forget(loop, at.fileno())
        paho.on_socket_register_write = lambda _paho, _context, at: loop.add_writer(
            at.fileno(), paho.loop_write
        )
        paho.on_socket_unregister_write = lambda _paho, _context, at: _forget_writer(
            loop, at.fileno()
        )

    def _read(self) -> None:
        self._paho.loop_read()
        # A record of TLS may hold several packets, and the socket knows of the first one only.
        while isinstance(at := self._paho.socket(), ssl.SSLSocket) and at.pending():
            self._paho.loop_read()

    async def _tick(self) -> None:
        # Keep-alive and retransmission are due even when the socket is silent.
        while self._paho.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS:  # noqa: ASYNC110
            await asyncio.sleep(_TICK_S)

    def _answered(self, reason: ReasonCode) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            self._connected.set_exception(ConnectionFailedError(str(reason)))
        else:
            self._connected.set_result(None)

    def _lost(self, reason: ReasonCode) -> None:
        lost = f"the router closed the connection ({reason})"
        self._answers.fail(lost)
        if not self._connected.done():
            self._connected.set_exception(ConnectionFailedError(lost))
        if not self._closed.done():
            self._closed.set_result(None)

    def _received(self, payload: bytes | bytearray) -> None:
        # What isn't JSON is nobody's answer.
        with contextlib.suppress(orjson.JSONDecodeError):
            self._answers.deliver(orjson.loads(payload))


def _forget(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    loop.remove_reader(descriptor)


def _forget_writer(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    loop.remove_writer(descriptor)


async def open_client(
    host: str, port: int, *, timeout_s: float, tls: ssl.SSLContext | None = None
) -> Client:
    """A connected client. Raises: ConnectionFailedError."""
    client = MqttClient(timeout_s=timeout_s, tls=tls)
    await client.open(host, port)
    return client
