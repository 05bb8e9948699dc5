"""docs/compatibility.md says how much of the peer's API is here: the numbers are counted anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.actions import ActionTable
from tests.contract.golden.differences import DIFFERENT, LEFT_OUT
from tests.contract.golden.replay import exchanges
from tests.contract.golden.test_realtime import OURS
from tests.support.inprocess import in_process

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"
FILES = ("http", "websocket", "mqtt", "realtime", "restricted")

OF_ITS_OWN = ("tests", "kuzzle-plugin-auth-passport-local/password")
"""Controllers of the recorded peer's application, and of a plugin's pages."""

GROUPS = {
    "Kuzzle's controllers": lambda name: "/" not in name and name not in ("ms", "memoryStorage"),
    "`ms` (Redis)": lambda name: name == "ms",
    "`device-manager/*`": lambda name: name.startswith("device-manager/"),
}
"""The rows of actions; `memoryStorage` is `ms` by another name."""


def actions(table: ActionTable) -> list[str]:
    api = _recorded_api()
    rows = ["| actions of | listed by the peer | answered | refused by name | not done |"]
    rows.append("|---|---|---|---|---|")
    for title, belongs in GROUPS.items():
        listed = [
            (controller, name)
            for controller in api
            if belongs(controller) and controller not in OF_ITS_OWN
            for name in api[controller]
        ]
        known = [table.get(*each) for each in listed]
        refused = sum(1 for each in known if each is not None and each.is_unserved)
        missing = sum(1 for each in known if each is None)
        answered = len(listed) - refused - missing
        rows.append(f"| {title} | {len(listed)} | {answered} | {refused} | {missing} |")
    return rows


def recorded() -> list[str]:
    rows = ["| exchanges over | recorded | the same | differ on purpose | not done |"]
    rows.append("|---|---|---|---|---|")
    for wire in FILES:
        names = [exchange["name"] for exchange in exchanges(wire)]
        missing = sum(1 for name in names if name in LEFT_OUT)
        differ = sum(1 for name in names if name not in LEFT_OUT and _differs(wire, name))
        same = len(names) - missing - differ
        rows.append(f"| {wire} | {len(names)} | {same} | {differ} | {missing} |")
    return rows


def _differs(wire: str, name: str) -> bool:
    if wire == "realtime":
        return name in OURS
    return name in DIFFERENT or f"{wire}/{name}" in DIFFERENT


def _recorded_api() -> Any:
    [found] = [each for each in exchanges("http") if each["name"] == "server:publicApi"]
    return found["response"]["body"]["result"]


async def test_the_page_tells_the_numbers_of_today() -> None:
    async with in_process() as router:
        rows = [*actions(router.router.table), "", *recorded()]
    block = "\n".join(rows)
    assert block in PAGE.read_text(), f"docs/compatibility.md should say:\n{block}"


def test_every_difference_is_of_an_exchange() -> None:
    names = {
        key
        for wire in FILES
        for exchange in exchanges(wire)
        for key in (exchange["name"], f"{wire}/{exchange['name']}")
    }
    assert {*DIFFERENT, *LEFT_OUT} - names == set()
