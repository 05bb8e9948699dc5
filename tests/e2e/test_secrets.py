"""A story of logins at debug level: no secret shows but in the answer that gives it out."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from tests.support.server import Server, serving
from tests.support.wires import WIRES, Payload

PASSWORD, WRONG = "correct-horse-7391", "wrong-battery-5520"
SECRET_BODY = "staple-in-a-body-8841"
ROOT = {"username": "root", "password": PASSWORD}
BOUND_S = 60.0


async def test_no_secret_is_in_logs_audit_metrics_or_errors(tmp_path: Path) -> None:
    chosen = {"TRIVIUM__LOG__LEVEL": "debug", "TRIVIUM__AUDIT__REQUESTS": "all"}
    with serving(tmp_path, environment=chosen) as server:
        secrets, errors = await story(server)
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=BOUND_S) as answer:
            metrics = answer.read().decode()
    assert len(secrets) == 7
    keys = [it for it in tmp_path.rglob("*key*") if it.is_file()]
    secrets |= {part for it in keys for part in it.read_text().split('"') if len(part) > 40}
    assert len(secrets) > 7, "the key that signs tokens is one, too"
    audit = "".join(it.read_text() for it in (tmp_path / "data" / "audit").glob("*.jsonl"))
    log = server.log.read_text()
    assert '"action":"login"' in audit
    assert "request answered" in log
    assert '"action":"connect"' in audit
    assert audit.count("plugin.strategy.missing_user") == 4
    for secret in secrets:
        for place, content in (
            ("log", log), ("audit", audit), ("metrics", metrics), ("errors", repr(errors)),
        ):  # fmt: skip
            assert secret not in content, (place, secret)


def knock(server: Server, password: str) -> None:
    """Connect over MQTT with a name and password, good or bad."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.username_pw_set("root", password)
    client.connect(server.host, server.mqtt_port)
    answered: list[object] = []
    client.on_connect = lambda *told: answered.append(told)
    deadline = time.monotonic() + BOUND_S
    while not answered:
        assert time.monotonic() < deadline
        client.loop(0.1)
    client.disconnect()
    client.loop(0.1)


async def story(server: Server) -> tuple[set[str], list[Payload]]:
    """Every secret that was sent or given out, and the answers that carry an error."""
    secrets, errors = {PASSWORD, WRONG, SECRET_BODY}, []
    for name in ("http", "websocket", "mqtt-5"):
        wire = await WIRES[name](server.port, server.mqtt_port)

        async def ask(controller: str, action: str, wire: Any = wire, **rest: Any) -> Payload:
            answer: Payload = await wire.ask({"controller": controller, "action": action, **rest})
            if answer["error"] is not None:
                errors.append(answer["error"])
            return answer

        if name == "http":
            admin = {"content": {}, "credentials": {"local": ROOT}}
            await ask("security", "createFirstAdmin", _id="root", reset=True, body=admin)
        await ask("auth", "login", strategy="local", body={**ROOT, "password": WRONG})
        given = await ask("auth", "login", strategy="local", body=ROOT)
        assert given["error"] is None, given
        jwt = given["result"]["jwt"]
        key = await ask("auth", "createApiKey", jwt=jwt, body={"description": "x"})
        if name != "mqtt-5":
            secrets |= {jwt, key["result"]["_source"]["token"]}
        await ask("auth", "getCurrentUser", jwt=jwt)
        await ask("auth", "getCurrentUser", jwt=jwt[:-3] + "abc")
        await ask("auth", "checkToken", body={"token": jwt})
        await ask("document", "create", jwt=jwt, index="x", body={"password": SECRET_BODY})
        await ask("auth", "updateMyCredentials", jwt=jwt, strategy="local", body={"password": 3})
        await ask("server", "getConfig", jwt=jwt)
        await ask("auth", "logout", jwt=jwt)
        await wire.close()
    for password in (PASSWORD, WRONG):
        await asyncio.to_thread(knock, server, password)
    assert len(errors) > 6
    return secrets, errors
