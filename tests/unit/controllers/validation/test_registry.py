"""Specifications that are stored: who sees them, and when."""

from __future__ import annotations

from controllers.validation.registry import Specifications
from storage.contract import Author
from storage.memory import MemoryStorage
from tests.support.inprocess import in_process
from tests.support.stores import refused

PLACE = ("lab", "things")
NAMED = {"fields": {"name": {"type": "string", "mandatory": True}}}


async def test_a_router_that_starts_knows_what_was_stored() -> None:
    private = MemoryStorage()
    first = Specifications(private)
    assert await first.find(PLACE) is None
    await first.save(PLACE, NAMED, Author())  # type: ignore[arg-type]
    second = Specifications(private)
    assert await second.find(PLACE) is not None
    assert await second.find(("lab", "others")) is None
    await second.forget(PLACE, Author())
    assert await second.find(PLACE) is None
    assert await Specifications(private).find(PLACE) is None


async def test_an_update_is_judged_by_what_the_request_before_it_wrote() -> None:
    place = {"index": "lab", "collection": "things"}
    async with in_process() as router:
        await router.result("collection:create", **place)
        await router.result("collection:updateSpecifications", NAMED, **place)
        await router.result("document:create", {"name": "one"}, _id="d", **place)
        error = await router.refused(
            "validation.check.failed_field", "document:update", {"name": None}, _id="d", **place
        )
        assert error["props"][0] == "name"
        await router.refused("services.storage.not_found", "document:update", {}, _id="x", **place)
        await router.result("document:upsert", {"changes": {"name": None}}, _id="d", **place)


async def test_what_is_refused_is_not_stored() -> None:
    private = MemoryStorage()
    specifications = Specifications(private)
    with refused("validation.assert.invalid_specifications"):
        await specifications.save(PLACE, {"fields": {"a": {}}}, Author())
    assert await Specifications(private).find(PLACE) is None
