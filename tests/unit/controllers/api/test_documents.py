"""OpenAPI and AsyncAPI tell every action, and tell it as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.contract.actions.test_story import STORY, InProcess
from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import Server, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    app = fleet_app()

    async def greet(request: Any) -> Any:
        return {"hello": request.args.get("name")}

    app.controller.register("greetings", {"hello": {"handler": greet}})
    async with running(app, fleet_settings(tmp_path)) as served:
        yield served


async def document(server: Server, action: str, **arguments: Any) -> Any:
    payload = {"controller": "server", "action": action, **arguments}
    answer = await InProcess(server).ask(payload)
    assert answer["status"] == 200, answer
    return answer["result"]


async def test_each_route_is_an_operation(server: Server) -> None:
    told = await document(server, "openapi")
    assert told["openapi"] == "3.1.0"
    operations = {
        (verb.upper(), path.replace("{", ":").replace("}", ""))
        for path, verbs in told["paths"].items()
        for verb in verbs
    }
    routes = {
        tuple(route)
        for action in server.core.router.table.served()
        if action.controller != "greetings"
        for route in action.routes
    }
    assert operations == routes
    names = [it["operationId"] for verbs in told["paths"].values() for it in verbs.values()]
    assert len(names) == len(set(names))


async def test_an_applications_actions_have_a_document_of_their_own(server: Server) -> None:
    told = await document(server, "openapi", scope="app")
    assert list(told["paths"]) == ["/_/greetings/hello"]


async def test_every_message_of_every_action(server: Server) -> None:
    told = await document(server, "asyncapi")
    assert told["asyncapi"] == "3.0.0"
    count = len(list(server.core.router.table.served()))
    assert len(told["components"]["messages"]) == 2 * count + 1
    assert len(told["operations"]) == 2 * count + 2
    references = _references(told)
    assert references
    for reference in references:
        assert _resolve(told, reference) is not None, reference


async def test_yaml_says_the_same(server: Server) -> None:
    for action in ("openapi", "asyncapi"):
        text = await document(server, action, format="yaml")
        assert yaml.load(text, yaml.CSafeLoader) == await document(server, action)


async def test_what_cannot_be_had_is_refused(server: Server) -> None:
    for wrong in ({"format": "xml"}, {"scope": "all"}):
        payload = {"controller": "server", "action": "openapi", **wrong}
        answer = await InProcess(server).ask(payload)
        assert answer["error"]["id"] == "api.assert.unexpected_argument"


async def test_each_answer_is_as_its_schema_says(server: Server) -> None:
    """The whole story of all actions, each answer held against the documents."""
    told = await document(server, "asyncapi")
    messages = told["components"]["messages"].values()
    payloads = {message["name"]: message["payload"] for message in messages}
    asked: dict[str, Any] = {}
    wire, wrong = InProcess(server), []
    for step in STORY:
        name = f"{step.ask.get('controller')}:{step.ask.get('action')}"
        answer = await wire.ask(dict(step.ask))
        schema = payloads.get(f"answer to {name}")
        if schema is None:
            continue
        validator = asked.setdefault(name, jsonschema_rs.Draft202012Validator(schema))
        wrong += [f"{step.about}: {error}" for error in validator.iter_errors(answer)]
    assert wrong == []
    assert len(asked) > 50


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(item) for item in value))
    return set()


def _resolve(told: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        told = told.get(part) if isinstance(told, dict) else None
    return told
