"""What users are told who ask for tokens and API keys in the wrong way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import websockets

from tests.contract.actions.tokens import SEARCH_ERRORS
from tests.support.people import ROOT, login, peopled

KEY: Any = {"body": {"description": "a key"}}


def asks() -> list[tuple[Any, str]]:
    """What root asks, and the error that it gets."""
    found: list[tuple[Any, str]] = []

    def add(name: str, error: str, **more: Any) -> None:
        controller, action = name.split(":")
        found.append(({"controller": controller, "action": action, **more}, error))

    add("auth:createToken", "api.assert.invalid_argument", expiresIn="soon")
    add("auth:createToken", "security.token.invalid_expiration", expiresIn=-1)
    add("auth:refreshToken", "api.assert.invalid_argument", expiresIn="soon")
    add("auth:refreshToken", "security.cookie.unsupported", cookieAuth=True)
    add("auth:logout", "security.cookie.unsupported", cookieAuth=True)
    found.append((login(ROOT, cookieAuth=True), "security.cookie.unsupported"))
    for controller, whose in (("auth", {}), ("security", {"userId": "ada-id"})):
        make = f"{controller}:createApiKey"
        add(make, "api.assert.invalid_argument", expiresIn="soon", **KEY, **whose)
        add(make, "api.assert.missing_argument", body={}, **whose)
        add(make, "", _id=f"{controller}-key", **KEY, **whose)
        taken = "services.storage.document_already_exists"
        add(make, taken, _id=f"{controller}-key", **KEY, **whose)
        add(f"{controller}:deleteApiKey", "services.storage.not_found", _id="none", **whose)
        for more, error in SEARCH_ERRORS:
            add(f"{controller}:searchApiKeys", error, **more, **whose)
    return found


async def test_each_mistake_has_its_own_refusal() -> None:
    wrong = []
    async with (
        peopled() as server,
        websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket,
    ):

        async def ask(request: Any) -> Any:
            await socket.send(json.dumps(request))
            return json.loads(await asyncio.wait_for(socket.recv(), 60))

        token = (await ask(login(ROOT)))["result"]["jwt"]
        for request, expected in asks():
            answer = await ask(request if "strategy" in request else {**request, "jwt": token})
            met = (answer["error"] or {}).get("id", "")
            if met != expected:
                wrong.append((request, expected, met))
    assert wrong == []
