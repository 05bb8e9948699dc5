"""A WebSocket as kuzzle-sdk speaks it on Node 22 and in browsers: sub-protocol `null`, one JSON
object per text frame, answers found by `room`, the token at the top level."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import websockets

BOUND_S = 60.0
VOLATILE = {"sdkInstanceId": "c16970f8-0c2f-4d5e-9f0c-9a2b5a3a7b11", "sdkName": "js@7.17.1"}
WITHOUT_TOKEN = ("auth:checkToken", "auth:login")


class SdkSocket:
    """One connection; `jwt` is sent with every request as soon as it is set."""

    def __init__(self, port: int, **volatile: str) -> None:
        self._port = port
        self._volatile = {**VOLATILE, **volatile}
        self.jwt: str | None = None
        self.heard: list[dict[str, Any]] = []
        """Notifications that came while an answer was awaited, oldest first."""

    async def __aenter__(self) -> SdkSocket:
        null = websockets.Subprotocol("null")
        self._socket = await websockets.connect(
            f"ws://127.0.0.1:{self._port}/", subprotocols=[null], max_size=None
        )
        assert self._socket.subprotocol == "null"
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._socket.close()

    async def ask(self, named: str, body: Any = None, **arguments: Any) -> dict[str, Any]:
        """The answer to `controller:action`, whole; it says what was asked."""
        message = await self.bare(named, body, **arguments)
        assert f"{message['controller']}:{message['action']}" == named
        assert message["requestId"] == message["room"]
        assert message["volatile"] == self._volatile
        return message

    async def bare(self, named: str, body: Any = None, **arguments: Any) -> dict[str, Any]:
        """What comes back in the room of a request, perhaps without an envelope."""
        controller, _, action = named.rpartition(":")
        asked = {"controller": controller, "action": action, "requestId": str(uuid.uuid4())}
        request = {**asked, "volatile": self._volatile, **arguments}
        if body is not None:
            request["body"] = body
        if self.jwt is not None and named not in WITHOUT_TOKEN:
            request["jwt"] = self.jwt
        await self._socket.send(json.dumps(request))
        while (message := await self._next()).get("room") != asked["requestId"]:
            self.heard.append(message)
        return message

    async def result(self, named: str, body: Any = None, **arguments: Any) -> Any:
        """What an action answers, None where it answers nothing; fails on an error."""
        answer = await self.ask(named, body, **arguments)
        assert (answer["error"], answer["status"]) == (None, 200), (named, answer["error"])
        return answer.get("result")

    async def refused(self, id: str, named: str, body: Any = None, **arguments: Any) -> None:
        """Fails unless the action is refused by this id, with what SDKs make an error of."""
        answer = await self.ask(named, body, **arguments)
        error = answer["error"]
        assert error is not None, answer
        assert (error["id"], answer["result"]) == (id, None), error
        assert isinstance(error["message"], str)
        assert error["message"]
        assert error["status"] == answer["status"] >= 400

    async def notification(self) -> dict[str, Any]:
        """The oldest notification not looked at yet."""
        return self.heard.pop(0) if self.heard else await self._next()

    async def is_alive(self) -> bool:
        """Whether the keep-alive of browsers is answered."""
        await self._socket.send('{"p":1}')
        return await self._next() == {"p": 2}

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.recv(), BOUND_S))
        return message
