"""Which request each method of `app.sdk` makes, on a real router whose actions echo."""

import pytest

from router.actions import Action, ActionTable
from router.connections import Connections
from router.envelope import JsonObject, Reply, Request
from router.errors import RouterError
from router.events import Events
from router.places import nowhere
from tests.support.routers import open_router
from trivium.sdk import Sdk
from trivium.sdk.ears import Ears

ECHOED = (
    ("document", "get create update replace createOrReplace delete search mGet"),
    ("device-manager/asset", "get create update upsert search"),
    ("device-manager/assets", "get"),
    ("device-manager/engine", "create"),
    ("greeting", "hello"),
    ("auth", "checkToken"),
    ("server", "info"),
    ("collection", "getMapping"),
)


async def echo(request: Request) -> JsonObject:
    return {
        "args": request.args,
        "body": request.body,
        "by": request.user.id,
        "heard": request.trigger_events,
    }


async def refuse(request: Request) -> Reply:
    raise RouterError("services.storage.not_found", "a1", "i", "c")


def action(controller: str, name: str, handler) -> Action:
    return Action(controller=controller, name=name, handler=handler, places=nowhere, summary="")


def sdk(*more: Action) -> Sdk:
    table = ActionTable(more)
    for controller, names in ECHOED:
        for name in names.split():
            table.add(action(controller, name, echo))
    return Sdk(open_router(table, Events()), Ears(Connections(), most=1))


class TestArguments:
    async def test_document_update_as_the_documented_example_calls_it(self):
        made = await sdk().document.update("airports", "assets", "CDG", {"a": {"b": 1}})
        assert made["args"] == {"index": "airports", "collection": "assets", "_id": "CDG"}
        assert made["body"] == {"a": {"b": 1}}

    async def test_options_travel_as_arguments(self):
        made = await sdk().document.update(
            "i", "c", "1", {}, refresh="wait_for", retryOnConflict=3, source=True
        )
        assert made["args"] == {
            "index": "i",
            "collection": "c",
            "_id": "1",
            "refresh": "wait_for",
            "retryOnConflict": 3,
            "source": True,
        }

    async def test_an_id_that_was_not_given_is_left_to_the_store(self):
        made = await sdk().document.create("i", "c", {"a": 1})
        assert made["args"] == {"index": "i", "collection": "c"}

    async def test_a_search_takes_its_page(self):
        made = await sdk().document.search("i", "c", {"query": {}}, offset=5, size=2)
        assert made["args"] == {"index": "i", "collection": "c", "from": 5, "size": 2}
        assert made["body"] == {"query": {}}

    async def test_an_asset_update_names_index_and_id(self):
        made = await sdk().device_manager.asset.update("airports", "CDG", {"a": 1})
        assert (made["args"], made["body"]) == ({"index": "airports", "_id": "CDG"}, {"a": 1})

    async def test_an_engine_has_a_group(self):
        made = await sdk().device_manager.engine.create("airports", group="travel")
        assert made["args"] == {"index": "airports", "group": "travel"}

    @pytest.mark.parametrize(
        "call",
        [
            lambda api: api.document.get("i", "c", "1"),
            lambda api: api.document.replace("i", "c", "1", {}),
            lambda api: api.document.create_or_replace("i", "c", "1", {}),
            lambda api: api.document.delete("i", "c", "1"),
            lambda api: api.device_manager.asset.get("i", "1"),
            lambda api: api.device_manager.assets.get(engineId="i", _id="1"),
        ],
    )
    async def test_whatever_is_about_one_document_carries_its_id(self, call):
        assert (await call(sdk()))["args"]["_id"] == "1"

    async def test_an_action_without_method_is_called_by_its_name(self):
        made = await sdk().document.mGet(index="i", collection="c", body={"ids": ["1"]})
        assert made["args"] == {"index": "i", "collection": "c"}
        assert made["body"] == {"ids": ["1"]}

    async def test_a_controller_of_the_application_is_called_by_its_name(self):
        made = await sdk().of("greeting").hello(name="Ada")
        assert made["args"] == {"name": "Ada"}

    async def test_no_private_name_is_taken_for_an_action(self):
        with pytest.raises(AttributeError):
            sdk().document._nothing  # noqa: B018 - what is read is the point

    async def test_a_token_goes_into_the_body(self):
        made = await sdk().auth.check_token("secret")
        assert made["body"] == {"token": "secret"}


class TestQuery:
    async def test_the_whole_answer_comes_back(self):
        answer = await sdk().query(
            {"controller": "greeting", "action": "hello", "requestId": "r1", "body": {"a": 1}}
        )
        assert (answer["status"], answer["error"], answer["requestId"]) == (200, None, "r1")
        assert answer["result"]["body"] == {"a": 1}

    async def test_an_unknown_action_is_the_error_that_clients_get(self):
        with pytest.raises(RouterError) as refused:
            await sdk().query({"controller": "greeting", "action": "nothing"})
        assert refused.value.id == "api.process.action_not_found"


class TestErrors:
    @pytest.mark.parametrize("wrong", [{"body": 5}, {"volatile": []}, {"action": ["info"]}])
    async def test_a_request_of_the_wrong_shape_is_refused_as_on_the_wires(self, wrong):
        with pytest.raises(RouterError) as caught:
            await sdk().query({"controller": "server", "action": "info", **wrong})
        assert (caught.value.id, caught.value.status) == ("api.assert.invalid_argument", 400)

    async def test_they_are_raised_with_id_status_and_props(self):
        api = sdk(action("document", "exists", refuse))
        with pytest.raises(RouterError) as refused:
            await api.document.exists("i", "c", "a1")
        error = refused.value
        assert (error.id, error.status) == ("services.storage.not_found", 404)
        assert error.props == ["a1", "i", "c"]

    async def test_a_result_of_another_type_than_promised_is_no_silence(self):
        with pytest.raises(TypeError, match="bool"):
            await sdk(action("index", "exists", echo)).index.exists("i")


class TestEvents:
    async def test_no_pipe_hears_a_call_unless_asked(self):
        assert (await sdk().document.get("i", "c", "1"))["heard"] is False

    async def test_pipes_hear_a_call_that_asks_for_it(self):
        made = await sdk().document.get("i", "c", "1", trigger_events=True)
        assert made["heard"] is True
        assert "trigger_events" not in made["args"]


class TestUsers:
    async def test_the_application_itself_writes_in_nobodys_name(self):
        assert (await sdk().document.get("i", "c", "1"))["by"] == ""

    async def test_in_the_name_of_a_user(self):
        api = sdk().as_user("ada", "pilots")
        assert (await api.document.get("i", "c", "1"))["by"] == "ada"
