"""index:* creates, lists and removes indexes."""

from __future__ import annotations

import msgspec

from tests.support.inprocess import in_process


async def test_an_index_comes_and_goes() -> None:
    async with in_process() as router:
        assert await router.result("index:exists", index="lab") is False
        answer = await router.ask("index:create", index="lab")
        assert answer.result is msgspec.UNSET
        assert answer.index == "lab"
        assert await router.result("index:exists", index="lab") is True
        assert "lab" in (await router.result("index:list"))["indexes"]
        assert await router.result("index:delete", index="lab") == {"acknowledged": True}
        assert await router.result("index:exists", index="lab") is False


async def test_the_list_counts_collections_when_asked() -> None:
    async with in_process() as router:
        await router.result("collection:create", index="lab", collection="a")
        await router.result("collection:create", index="lab", collection="b")
        await router.result("index:create", index="bare")
        plain = await router.result("index:list")
        counted = await router.result("index:list", countCollection=True)
        assert "collections" not in plain
        assert counted["collections"]["lab"] == 2
        assert counted["collections"]["bare"] == 0


async def test_what_cannot_be_is_refused() -> None:
    async with in_process() as router:
        await router.result("index:create", index="lab")
        await router.refused("services.storage.index_already_exists", "index:create", index="lab")
        await router.refused("services.storage.invalid_index_name", "index:create", index="Lab")
        await router.refused("services.storage.unknown_index", "index:delete", index="nope")
        await router.refused("api.assert.invalid_type", "index:list", countCollection="yes")
        for name in ("create", "delete", "exists"):
            await router.refused("api.assert.missing_argument", f"index:{name}")
            await router.refused("api.assert.missing_argument", f"index:{name}", index="")
            await router.refused("api.assert.invalid_type", f"index:{name}", index=5)
