"""What OpenAPI tells is what is answered: schemathesis draws requests, every answer is checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.server import Server, serving

SECONDS = float(os.environ.get("TRIVIUM_FUZZ_SECONDS", "0"))
"""How long requests are drawn, all operations together: TRIVIUM_FUZZ_SECONDS=3600 for a search.
Without it each run asks the same few, so that none fails by what it happened to draw."""

CHECKS: list[Any] = [response_schema_conformance, status_code_conformance, content_type_conformance]

LAST = ("admin:reset", "security:createFirstAdmin", "security:restrictDefaultRights")
"""Asked at the end, for after these the router is another one."""

LEFT_OUT = ("admin:shutdown", "realtime:stream")
"""The first would end the router, and the answer of the other has no end."""

KNOWN: dict[str, list[str]] = {
    "index": ["lab", "fleet"],
    "engineId": ["fleet"],
    "collection": ["things", "users"],
    "_id": ["d1", "Truck-1", "ada", "default"],
    "strategy": ["local"],
    "userId": ["ada"],
}
"""Names of what is there: drawn names alone would meet with nothing but refusals."""

OWN_FAULTS = {
    "core.fatal.service_unavailable",
    "security.profile.cannot_hydrate",
    "security.user.cannot_hydrate",
    "trivium.unsupported.feature",
}
"""Errors of 500 and more that the peer has for bad requests, and 501 for what isn't there."""

DESTROYING = ("delete", "mDelete", "mdelete", "reset", "revoke", "truncate", "replace", "load")
"""Begin the actions after which what is there is made anew."""

APP = "from tests.support.fleet import fleet_app\napp = fleet_app()\n"
THINGS = {"index": "lab", "collection": "things"}
ADA = {"content": {"profileIds": ["default"]}}
ROOT = {"content": {"profileIds": ["admin"]}}
SPECIFICATION = {"strict": False, "fields": {"n": {"type": "integer"}}}
SETTING: list[tuple[str, dict[str, Any]]] = [
    ("collection:create", {**THINGS, "body": {"mappings": {"dynamic": "true"}}}),
    ("collection:updateSpecifications", {**THINGS, "body": SPECIFICATION}),
    ("document:createOrReplace", {**THINGS, "_id": "d1", "body": {"n": 1}}),
    ("device-manager/engine:create", {"index": "fleet"}),
    (
        "device-manager/asset:create",
        {"index": "fleet", "body": {"model": "Truck", "reference": "1"}},
    ),
    ("security:createUser", {"_id": "ada", "body": ADA}),
    ("security:createUser", {"_id": "root", "body": ROOT}),
]


class House:
    """A running router with something in it, and a key that opens all of it."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.session = requests.Session()
        self.furnish()
        made = self.query("security:createApiKey", userId="root", body={"description": "all"})
        self.key = made["result"]["_source"]["token"]

    def query(self, name: str, **more: Any) -> Any:
        controller, _, action = name.rpartition(":")
        asked = {"controller": controller, "action": action, **more}
        return self.session.post(f"{self.url}/_query", json=asked, timeout=60).json()

    def furnish(self) -> None:
        """Make what isn't there."""
        for name, more in SETTING:
            assert self.query(name, **more)["status"] in (200, 400, 412), name

    def ask(self, case: Any, *, with_key: bool) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"} if with_key else None
        return case.call(base_url=self.url, session=self.session, headers=headers, timeout=60)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    app = tmp_path / "app.py"
    app.write_text(APP)
    with serving(tmp_path, app=app) as server:
        house = House(server)
        with house.session:
            yield house


def operations(house: House) -> dict[str, Any]:
    """What the document offers, by operation id, in the order to ask."""
    document = house.session.get(f"{house.url}/_openapi", timeout=60).json()
    found = (each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations())
    named = {each.definition.raw["operationId"]: each for each in found}
    asked = [name for name in named if not name.startswith(LEFT_OUT)]
    return {name: named[name] for name in sorted(asked, key=lambda name: name.startswith(LAST))}


def faults(case: Any, response: Any) -> str | None:
    """What is wrong with an answer; None for a good one."""
    try:
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 500:
            error = response.json()["error"]
            assert error["id"] in OWN_FAULTS, error
    except BaseExceptionGroup as group:
        return "\n".join(str(error) for error in group.exceptions)
    except (AssertionError, KeyError, ValueError) as error:
        return f"{response.status_code} {error}\n{case.as_curl_command()}"
    return None


def asking(operation: Any, ask: Callable[[Any, bool], None], seconds: float) -> None:
    """Ask what is drawn for an operation, good and bad, for so long and at least once."""
    ends = time.monotonic() + seconds
    bad = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        derandomize="TRIVIUM_FUZZ_SECONDS" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy() | bad, data=st.data())
    def drawn(case: Any, data: Any) -> None:
        for name in sorted(set(case.path_parameters or ()) & KNOWN.keys()):
            if data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        ask(case, data.draw(st.booleans()))

    while True:
        drawn()
        if time.monotonic() > ends:
            break


@pytest.mark.slow
def test_every_answer_is_as_the_document_says(house: House) -> None:
    offered = operations(house)
    answered: dict[str, set[int]] = {name: set() for name in offered}
    wrong: dict[str, str] = {}
    for name, operation in offered.items():

        def ask(case: Any, with_key: bool, name: str = name) -> None:
            response = house.ask(case, with_key=with_key)
            answered[name].add(response.status_code)
            fault = faults(case, response)
            if fault is not None:
                wrong.setdefault(name, fault)

        asking(operation, ask, SECONDS / len(offered))
        if name.split(":")[1].startswith(DESTROYING) and not name.startswith(LAST):
            house.furnish()
    assert len(offered) > 150
    assert all(answered.values())
    assert wrong == {}, "\n\n".join(wrong.values())
