"""collection:* and mappings."""

from __future__ import annotations

from tests.support.inprocess import in_process

PLACE = {"index": "lab", "collection": "things"}
KEYWORD = {"properties": {"name": {"type": "keyword"}}}


async def test_a_collection_comes_and_goes_with_its_index() -> None:
    async with in_process() as router:
        assert await router.result("collection:exists", **PLACE) is False
        assert await router.result("collection:create", **PLACE) == {"acknowledged": True}
        assert await router.result("collection:exists", **PLACE) is True
        assert await router.result("index:exists", index="lab") is True
        assert await router.result("collection:delete", **PLACE) is None
        assert await router.result("collection:exists", **PLACE) is False


class TestMapping:
    async def test_it_is_merged_from_either_body(self) -> None:
        async with in_process() as router:
            settings = {"number_of_shards": 1}
            body = {"mappings": {"dynamic": "strict", **KEYWORD}, "settings": settings}
            await router.result("collection:create", body, **PLACE)
            # Clients of old send the mapping itself.
            legacy = {"properties": {"n": {"type": "integer"}}, "settings": settings}
            await router.result("collection:create", legacy, **PLACE)
            late = {"mappings": {"properties": {"late": {"type": "date"}}}}
            assert await router.result("collection:update", late, **PLACE) is None
            mapping = await router.result("collection:getMapping", **PLACE)
            assert mapping["dynamic"] == "strict"
            assert set(mapping["properties"]) == {"name", "n", "late"}

    async def test_the_routers_own_fields_are_shown_when_asked(self) -> None:
        async with in_process() as router:
            await router.result("collection:create", **PLACE)
            whole = await router.result("collection:getMapping", includeKuzzleMeta=True, **PLACE)
            assert "_kuzzle_info" in whole["properties"]

    async def test_meta_is_shown_where_there_is_some(self) -> None:
        async with in_process() as router:
            await router.result("collection:create", {"mappings": KEYWORD}, **PLACE)
            assert "_meta" not in await router.result("collection:getMapping", **PLACE)
            await router.result("collection:update", {"mappings": {"_meta": {"a": 1}}}, **PLACE)
            mapping = await router.result("collection:getMapping", **PLACE)
            assert mapping["_meta"] == {"a": 1}

    async def test_an_empty_update_changes_nothing(self) -> None:
        async with in_process() as router:
            await router.result("collection:create", {"mappings": KEYWORD}, **PLACE)
            await router.result("collection:update", {"settings": {}}, **PLACE)
            assert (await router.result("collection:getMapping", **PLACE))["properties"] == (
                KEYWORD["properties"]
            )

    async def test_what_makes_no_mapping_is_refused(self) -> None:
        async with in_process() as router:
            await router.result("collection:create", {"mappings": KEYWORD}, **PLACE)
            change = {"mappings": {"properties": {"name": {"type": "integer"}}}}
            for action in ("create", "update"):
                name = f"collection:{action}"
                await router.refused(
                    "services.storage.cannot_change_mapping", name, change, **PLACE
                )
                await router.refused(
                    "services.storage.invalid_mapping", name, {"mappings": {"prop": {}}}, **PLACE
                )
                await router.refused(
                    "services.storage.invalid_mapping",
                    name,
                    {"properties": {}, "colour": {}},
                    **PLACE,
                )
                await router.refused("api.assert.invalid_type", name, {"mappings": 5}, **PLACE)
                await router.refused("api.assert.invalid_type", name, {"settings": 5}, **PLACE)
                await router.refused("api.assert.invalid_type", name, [KEYWORD], **PLACE)
            await router.refused("api.assert.body_required", "collection:update", **PLACE)


class TestList:
    async def test_it_is_sorted_and_paged(self) -> None:
        async with in_process() as router:
            for name in ("c", "a", "b"):
                await router.result("collection:create", index="lab", collection=name)
            whole = await router.result("collection:list", index="lab")
            assert whole == {
                "collections": [{"name": name, "type": "stored"} for name in "abc"],
                "type": "all",
            }
            page = await router.result("collection:list", index="lab", size="1", **{"from": 1})
            assert [entry["name"] for entry in page["collections"]] == ["b"]
            assert (page["from"], page["size"]) == (1, 1)
            realtime = await router.result("collection:list", index="lab", type="realtime")
            assert realtime == {"collections": [], "type": "realtime"}

    async def test_odd_arguments_are_refused(self) -> None:
        async with in_process() as router:
            await router.result("index:create", index="lab")
            for argument in ({"type": "odd"}, {"from": -1}, {"size": -1}):
                await router.refused(
                    "api.assert.invalid_argument", "collection:list", index="lab", **argument
                )
            await router.refused("services.storage.unknown_index", "collection:list", index="x")
            await router.refused("api.assert.missing_argument", "collection:list")


async def test_a_refresh_shows_hidden_writes() -> None:
    async with in_process() as router:
        await router.result("collection:create", {"mappings": KEYWORD}, **PLACE)
        router.storage.hide_until_refresh()
        await router.result("document:create", {"name": "x"}, **PLACE)
        assert (await router.result("document:count", **PLACE))["count"] == 0
        assert await router.result("collection:refresh", **PLACE) is None
        assert (await router.result("document:count", **PLACE))["count"] == 1


async def test_the_place_must_be_named_and_be_there() -> None:
    async with in_process() as router:
        await router.result("index:create", index="lab")
        body = {"mappings": {}}
        for name in ("create", "delete", "exists", "getMapping", "refresh", "update"):
            action = f"collection:{name}"
            await router.refused("api.assert.missing_argument", action, body, collection="x")
            await router.refused("api.assert.missing_argument", action, body, index="lab")
        for name in ("delete", "getMapping", "refresh", "update"):
            action = f"collection:{name}"
            await router.refused("services.storage.unknown_collection", action, body, **PLACE)
            elsewhere = {"index": "x", "collection": "y"}
            await router.refused("services.storage.unknown_index", action, body, **elsewhere)
        bad = {"index": "lab", "collection": "Bad"}
        await router.refused("services.storage.invalid_collection_name", "collection:create", **bad)
