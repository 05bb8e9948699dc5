"""One way to ask over every wire: a payload in, the answer's envelope out."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import paho.mqtt.client as paho
import websockets

Payload = dict[str, Any]
TIMEOUT_S = 60.0
ANY = ""

_NOT_QUERY = {"controller", "action", "body", "requestId", "volatile", "jwt"}


class Wire(Protocol):
    """An open way to the router."""

    async def ask(self, payload: Payload) -> Payload:
        """Send one request and return its answer, matched by `requestId`."""

    async def close(self) -> None:
        """Hang up."""


class HttpWire:
    """Requests over their REST routes, as an SDK builds them from the public API; whatever a
    URL can't say goes through `POST /_query`."""

    def __init__(self, port: int, *, routes: bool = True) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session: aiohttp.ClientSession | None = None
        self._routes = routes
        self._api: dict[str, dict[str, Payload]] = {}

    async def open(self) -> HttpWire:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        if self._routes:
            async with self._session.get(f"{self._url}/_publicApi") as answer:
                self._api = (await answer.json())["result"]
        return self

    async def ask(self, payload: Payload) -> Payload:
        request_id = payload.get("requestId") or str(uuid.uuid4())
        headers = {"X-Kuzzle-Request-Id": request_id, "Content-Type": "application/json"}
        route = self._route(payload)
        if route is None:
            verb, url, body = "POST", "/_query", payload
        else:
            verb, url = route
            body = payload.get("body")
            if payload.get("volatile") is not None:
                headers["X-Kuzzle-Volatile"] = json.dumps(payload["volatile"])
            if payload.get("jwt") is not None:
                headers["Authorization"] = f"Bearer {payload['jwt']}"
        content = None if body is None else json.dumps(body).encode()
        assert self._session is not None
        async with self._session.request(
            verb, self._url + url, data=content, headers=headers
        ) as answer:
            envelope = json.loads(await answer.read())
            assert answer.status == envelope["status"], (answer.status, envelope)
            assert answer.headers["X-Kuzzle-Request-Id"] == request_id
            return envelope

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _route(self, payload: Payload) -> tuple[str, str] | None:
        named = self._api.get(payload.get("controller") or "", {})
        described = named.get(payload.get("action") or "", {}) if isinstance(named, dict) else {}
        arguments = {k: v for k, v in payload.items() if k not in _NOT_QUERY and v is not None}
        if any(not isinstance(v, str | bool | int) for v in arguments.values()):
            return None
        for route in sorted(described.get("http", []), key=lambda r: -r["path"].count(":")):
            filled = _fill(route["path"], arguments)
            if filled is None or (route["verb"] == "GET" and payload.get("body") is not None):
                continue
            path, used = filled
            rest = {k: v for k, v in arguments.items() if k not in used and v is not False}
            query = urlencode({k: "" if v is True else v for k, v in rest.items()})
            return route["verb"], path + (f"?{query}" if query else "")
        return None


def _fill(path: str, arguments: Payload) -> tuple[str, set[str]] | None:
    used: set[str] = set()
    parts: list[str] = []
    for part in path.split("/"):
        if not part.startswith(":"):
            parts.append(part)
            continue
        value = arguments.get(part[1:])
        # A literal segment (`_search`) wins over a name, so such a name can't be said.
        if not isinstance(value, str) or not value or value.startswith("_"):
            return None
        used.add(part[1:])
        parts.append(quote(value, safe=""))
    return "/".join(parts), used


class WebSocketWire:
    """Requests as text frames; answers matched by `room`, as the SDKs do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answers: dict[str, asyncio.Future[Payload]] = {}

    async def open(self) -> WebSocketWire:
        self._socket = await websockets.connect(
            f"ws://127.0.0.1:{self._port}/", max_size=None, open_timeout=TIMEOUT_S
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def ask(self, payload: Payload) -> Payload:
        payload = _with_id(payload)
        answer = self._answers[payload["requestId"]] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(payload))
        return await asyncio.wait_for(answer, TIMEOUT_S)

    async def close(self) -> None:
        await self._socket.close()
        await self._reader

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                envelope = json.loads(text)
                if envelope.get("type") == "TokenExpired":
                    continue
                assert envelope.pop("room", envelope["requestId"]) == envelope["requestId"]
                self._answers.pop(envelope["requestId"]).set_result(envelope)
        except websockets.ConnectionClosed:
            pass


class MqttWire:
    """Requests published with QoS 1 on `Kuzzle/request` by paho, in version 3.1.1 or 5."""

    def __init__(self, port: int, *, version: int = 4) -> None:
        self._port = port
        self._answers: dict[str, asyncio.Future[Payload]] = {}
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"suite-{uuid.uuid4().hex[:8]}",
            protocol=paho.MQTTProtocolVersion(version),
            reconnect_on_failure=False,
        )

    async def open(self) -> MqttWire:
        loop = asyncio.get_running_loop()
        connected: asyncio.Future[None] = loop.create_future()

        def on_connect(*ignored: object) -> None:
            loop.call_soon_threadsafe(connected.set_result, None)

        def on_message(client: object, userdata: object, message: paho.MQTTMessage) -> None:
            if message.topic == "kuzzle:notification:server":
                return
            assert message.topic == "Kuzzle/response"
            loop.call_soon_threadsafe(self._receive, json.loads(message.payload))

        self._client.on_socket_open = _send_at_once
        self._client.on_connect = on_connect
        self._client.on_message = on_message
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        await asyncio.wait_for(connected, TIMEOUT_S)
        return self

    async def ask(self, payload: Payload) -> Payload:
        payload = _with_id(payload)
        answer = self._answers[payload["requestId"]] = asyncio.get_running_loop().create_future()
        self._client.publish("Kuzzle/request", json.dumps(payload), qos=1)
        return await asyncio.wait_for(answer, TIMEOUT_S)

    async def tell(self, payload: str, qos: int) -> Payload:
        """Publish any text and return the next answer, whatever its id."""
        answer = self._answers[ANY] = asyncio.get_running_loop().create_future()
        self._client.publish("Kuzzle/request", payload, qos=qos)
        return await asyncio.wait_for(answer, TIMEOUT_S)

    async def close(self) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _receive(self, envelope: Payload) -> None:
        assert "room" not in envelope
        waiting = self._answers.pop(envelope["requestId"], None) or self._answers.pop(ANY)
        waiting.set_result(envelope)


def _send_at_once(_: object, __: object, connection: Any) -> None:
    # Else each request waits 40 ms for the acknowledgement of the PUBACK before it (Nagle).
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _with_id(payload: Payload) -> Payload:
    return payload if payload.get("requestId") else {**payload, "requestId": str(uuid.uuid4())}


WIRES: dict[str, Callable[[int, int], Awaitable[Wire]]] = {
    "http": lambda http, _: HttpWire(http).open(),
    "http-query": lambda http, _: HttpWire(http, routes=False).open(),
    "websocket": lambda http, _: WebSocketWire(http).open(),
    "mqtt-3.1.1": lambda _, mqtt: MqttWire(mqtt, version=4).open(),
    "mqtt-5": lambda _, mqtt: MqttWire(mqtt, version=5).open(),
}
"""Opens a wire, given the HTTP and the MQTT port."""
