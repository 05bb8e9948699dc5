"""A router that dies between any two requests: document and feed agree for the next one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.errors import RouterError
from router.settings import OpenSearchSettings
from storage.contract import Change, Document, Storage, Verb, Written, outcome
from tests.support.opensearch_clients import DyingClient, ForgetfulClient
from tests.support.stores import TARGET, a_write, put

pytestmark = pytest.mark.needs("opensearch")

LIFE: list[Verb] = ["create", "update", "delete", "upsert", "replace", "delete"]
BOUND_S = 60.0


async def live(storage: Storage, id: str) -> list[Verb]:
    """The writes of a life, one after the other; those that were acknowledged."""
    done: list[Verb] = []
    for verb in LIFE:
        written = await outcome(storage.write(a_write(verb, id, {"verb": verb})))
        if isinstance(written, RouterError):
            assert written.id == "services.storage.unavailable"
            return done
        done.append(verb)
    return done


def agree(document: Document | None, rows: list[Change]) -> bool:
    """Whether the last row tells of the document as it is."""
    if document is None:
        return not rows or rows[-1].action == "delete"
    told = (rows[-1].version, rows[-1].action) if rows else None
    return told == (document.version, document.source["verb"])


async def settled(storage: Storage, id: str, at_least: int) -> list[Change]:
    """The document's rows, once there are enough of them and they agree with the document."""
    ends = asyncio.get_running_loop().time() + BOUND_S
    while True:
        (document,) = await storage.mget(*TARGET, [id])
        rows = [row for row in await storage.changes(0) if row.id == id]
        if agree(document, rows) and len(rows) >= at_least:
            return rows
        assert asyncio.get_running_loop().time() < ends, (document, rows)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("is_late", [True, False], ids=["answer lost", "never sent"])
@pytest.mark.parametrize("dies_at", range(14))
async def test_document_and_feed_agree_after_a_death(
    open_store: Any, dies_at: int, is_late: bool
) -> None:
    survivor = await open_store()
    await survivor.create_collection(*TARGET)

    def connect(settings: OpenSearchSettings) -> DyingClient:
        return DyingClient(settings, dies_at, is_late=is_late)

    victim = await open_store(connect, patience_s=0.2)
    done = await live(victim, "one")
    await victim.close()

    heir = await open_store()  # it looks through what was left
    rows = await settled(heir, "one", len(done))
    # Every acknowledged write is told, once, in order; at most the one under way besides.
    assert [row.action for row in rows][: len(done)] == done
    assert len(rows) <= len(done) + 1
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    # Whatever comes next goes on from there.
    assert (await put(heir, "one", {})).version == len(rows) + 1


@pytest.mark.parametrize("losses", range(1, 5))
async def test_a_write_whose_answer_gets_lost_is_done_once(open_store: Any, losses: int) -> None:
    def connect(settings: OpenSearchSettings) -> ForgetfulClient:
        return ForgetfulClient(settings, losses)

    storage = await open_store(connect)
    await storage.create_collection(*TARGET)
    assert await live(storage, "one") == LIFE
    rows = await storage.changes(0)
    assert [(row.action, row.version) for row in rows] == list(
        zip(LIFE, range(1, len(LIFE) + 1), strict=True)
    )


async def test_many_waiting_writes_survive_a_lost_answer(open_store: Any) -> None:
    def connect(settings: OpenSearchSettings) -> ForgetfulClient:
        return ForgetfulClient(settings, 1)

    storage = await open_store(connect)
    await storage.create_collection(*TARGET)
    writes = [a_write("upsert", "ab"[n % 2], {f"k{n}": n}) for n in range(40)]
    written = await storage.bulk(writes)
    assert all(isinstance(each, Written) for each in written)
    for name in "ab":
        document = await storage.get(*TARGET, name)
        assert document.version == 20
        assert len(document.source) == 21
