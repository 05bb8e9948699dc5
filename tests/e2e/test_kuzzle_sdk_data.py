"""kuzzle-sdk, unchanged: many documents, in bulk, by query; collections and what they ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_kuzzle_sdk import run
from tests.support.fleet import fleet_app, fleet_settings
from trivium.server import running

pytestmark = pytest.mark.needs("node", "kuzzle-sdk")

SAID = {
    "mCreate": ["a", "b"],
    "mCreate twice": "document already exists",
    "mCreateOrReplace": ["c"],
    "mReplace": ["c"],
    "mUpdate": 3,
    "mUpsert": True,
    "mGet": ["a"],
    "mGet by POST": ["a"],
    "mExists": {"successes": ["a"], "errors": ["none"]},
    "upsert": 2,
    "deleteFields": "gone",
    "updateByQuery": 2,
    "deleteByQuery": 2,
    "mDelete": ["a"],
    "bulk.write": "me",
    "bulk.mWrite": ["w2"],
    "bulk.import": 1,
    "getSettings": 2,
    "updateMapping": ["m", "n"],
    "validateSpecifications": True,
    "getSpecifications": "integer",
    "searchSpecifications": 1,
    "refused": "validation.check.failed_field",
    "truncate": 0,
    "index.mDelete": ["sdk2"],
    "index.stats": True,
    "done": None,
}


@pytest.mark.parametrize("protocol", ["ws", "http"])
async def test_a_program_works_unchanged(protocol: str, tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        said = await run("data_program.mjs", protocol, str(server.port))
    assert {step: said.get(step) for step in SAID} == SAID
