"""What becomes of records that are sent again, as nobody knows what became of them."""

from __future__ import annotations

from typing import Any

from router.envelope import JsonObject
from tests.support.inprocess import InProcess, in_process
from trivium.imports.destinations import Documents
from trivium.imports.source import Entry, Mark


class Asking:
    """A client of a router in this process."""

    def __init__(self, router: InProcess) -> None:
        self._router = router

    async def query(self, request: JsonObject) -> JsonObject:
        named: Any = dict(request)
        name = f"{named.pop('controller')}:{named.pop('action')}"
        answer = await self._router.ask(name, named.pop("body", None), **named)
        result: Any = answer.result
        return {"error": answer.error, "result": result}

    async def close(self) -> None:
        pass


def lines(*documents: JsonObject) -> list[Entry]:
    return [Entry(Mark(n, n), Mark(n + 1, n + 1), each) for n, each in enumerate(documents, 1)]


async def test_of_one_id_that_comes_twice_the_last_content_stays() -> None:
    records = lines(
        {"_id": "a", "body": {"n": 1}},
        {"_id": "b", "body": {"n": 1}},
        {"_id": "a", "body": {"n": 2}},
    )
    async with in_process() as router:
        await router.result("index:create", index="lab")
        await router.result("collection:create", index="lab", collection="things")
        things = Documents(Asking(router), "lab", "things", "key")
        assert await things.send(records, in_doubt=False) == []
        assert await things.send(records, in_doubt=True) == []
        place = {"index": "lab", "collection": "things"}
        found = await router.result("document:get", _id="a", **place)
        assert (found["_source"], found["_version"]) == ({"n": 2}, 2)
        # What isn't as the last of them says is written anew, all of it in its order.
        await router.result("bulk:write", {"n": 1}, _id="a", **place)
        assert await things.send(records, in_doubt=True) == []
        found = await router.result("document:get", _id="a", **place)
        assert (found["_source"], found["_version"]) == ({"n": 2}, 5)
