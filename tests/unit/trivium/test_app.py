"""The application object: what it takes in before the start, what it gives after."""

import pytest

from controllers.device_manager.models import Models, Slot
from router.actions import Action, ActionTable, Route
from router.connections import Connections
from router.envelope import Connection, Reply, Request
from router.errors import RouterError
from router.events import Events
from router.places import nowhere
from router.settings import Settings
from tests.support.routers import open_router
from trivium import App
from trivium.sdk.ears import Ears

CONNECTION = Connection("c1", "internal")


def hello(request: Request) -> dict:
    """Say hello."""
    return {"greeting": f"hello {request.args.get('name')}"}


async def declared(app: App) -> ActionTable:
    table = ActionTable()
    app.declare(table, Events())
    return table


def started(app: App) -> App:
    app.start(open_router(ActionTable(), Events()), Settings(), Ears(Connections(), most=1))
    return app


class TestListeners:
    async def test_a_decorated_pipe_and_a_registered_one_run_in_order(self):
        app, events = App(), Events()

        @app.pipe("document:beforeUpdate")
        async def first(payload):
            return [*payload, "first"]

        app.pipe.register("document:beforeUpdate", lambda payload: [*payload, "second"])
        app.declare(ActionTable(), events)
        assert await events.trigger("document:beforeUpdate", []) == ["first", "second"]

    async def test_the_decorator_leaves_the_function_as_it_was(self):
        app = App()

        @app.hook("document:afterUpdate")
        def listener(payload):
            return "called"

        assert listener(None) == "called"

    async def test_hooks_get_the_payload_but_change_nothing(self):
        app, events, heard = App(), Events(), []
        app.hook.register("document:*", heard.append)
        app.declare(ActionTable(), events)
        assert await events.trigger("document:beforeUpdate", {"a": 1}) == {"a": 1}
        await events.settle(60)
        assert heard == [{"a": 1}]

    def test_what_cannot_be_called_is_refused_at_once(self):
        with pytest.raises(TypeError, match="document:beforeUpdate"):
            App().pipe.register("document:beforeUpdate", "not a function")


class TestControllers:
    async def test_an_action_without_route_gets_the_default_one_in_kebab_case(self):
        app = App()
        app.controller.register("fleetStatus", {"sayHello": hello})
        action = (await declared(app)).find("fleetStatus", "sayHello")
        assert action.routes == (Route("GET", "/_/fleet-status/say-hello"),)
        assert action.summary == "Say hello."

    @pytest.mark.parametrize(
        ("given", "path"), [("greet/:name", "/_/greet/:name"), ("/greet/:name", "/greet/:name")]
    )
    async def test_a_path_without_slash_is_put_under_the_prefix(self, given, path):
        app = App()
        routes = [{"verb": "post", "path": given}]
        app.controller.register("greeting", {"hello": {"handler": hello, "http": routes}})
        action = (await declared(app)).find("greeting", "hello")
        assert action.routes == (Route("POST", path),)

    async def test_a_plain_function_answers_as_an_async_one_does(self):
        app = App()
        app.controller.register("greeting", {"hello": hello})
        action = (await declared(app)).find("greeting", "hello")
        request = Request(
            controller="greeting", action="hello", connection=CONNECTION, args={"name": "Ada"}
        )
        assert await action.handler(request) == {"greeting": "hello Ada"}

    @pytest.mark.parametrize("wrap", [lambda value: value, lambda value: Reply(result=value)])
    async def test_a_result_that_is_no_json_is_refused_by_name(self, wrap):
        app = App()
        app.controller.register("greeting", {"hello": lambda request: wrap({"it": object()})})
        action = (await declared(app)).find("greeting", "hello")
        with pytest.raises(RouterError) as refused:
            await action.handler(
                Request(controller="greeting", action="hello", connection=CONNECTION)
            )
        assert refused.value.id == "plugin.controller.unserializable_response"

    def test_two_actions_on_one_route_are_refused_at_registration(self):
        app = App()
        routes = [{"verb": "get", "path": "hello/:name"}]
        other = [{"verb": "get", "path": "hello/:id"}]
        app.controller.register("one", {"hello": {"handler": hello, "http": routes}})
        with pytest.raises(RouterError) as refused:
            app.controller.register("two", {"hello": {"handler": hello, "http": other}})
        assert refused.value.id == "network.http.duplicate_url"

    def test_a_refused_controller_leaves_no_trace(self):
        app = App()
        routes = [{"verb": "get", "path": "hello"}]
        app.controller.register("one", {"hello": {"handler": hello, "http": routes}})
        with pytest.raises(RouterError):
            app.controller.register("two", {"hello": {"handler": hello, "http": routes}})
        app.controller.register("two", {"hello": hello})

    def test_the_name_of_a_native_controller_is_taken(self):
        async def now(request):
            return None

        table = ActionTable(
            [Action(controller="server", name="now", handler=now, places=nowhere, summary="")]
        )
        app = App()
        app.controller.register("server", {"later": hello})
        with pytest.raises(ValueError, match="server is taken"):
            app.declare(table, Events())

    @pytest.mark.parametrize(
        ("name", "actions", "reason"),
        [
            ("", {"hello": hello}, "name of a controller"),
            ("a b", {"hello": hello}, "name of a controller"),
            ("greeting", {}, "no actions"),
            ("greeting", {"hello": {"handler": "nothing"}}, "can't be called"),
            (
                "greeting",
                {"hello": {"handler": hello, "http": [{"verb": "fetch", "path": "x"}]}},
                "fetch is no verb",
            ),
        ],
    )
    def test_a_definition_that_makes_no_sense_says_why(self, name, actions, reason):
        with pytest.raises(ValueError, match=reason):
            App().controller.register(name, actions)

    def test_a_controller_is_registered_once(self):
        app = App()
        app.controller.register("greeting", {"hello": hello})
        with pytest.raises(ValueError, match="registered twice"):
            app.controller.register("greeting", {"other": hello})


class TestModels:
    def test_a_model_reaches_the_device_manager(self):
        app, models = App(), Models()
        app.models.register_asset(
            "Truck",
            metadata_mappings={"plate": {"type": "keyword"}},
            measures=[{"name": "outside", "type": "temperature"}],
        )
        app.models.add_to(models)
        truck = models.asset("Truck", "any group")
        assert truck is not None
        assert truck.metadata_mappings == {"plate": {"type": "keyword"}}
        assert truck.measures == (Slot("outside", "temperature"),)

    @pytest.mark.parametrize("name", ["truck", "", "Big Truck"])
    def test_a_name_that_is_not_pascal_case_is_refused(self, name):
        with pytest.raises(ValueError, match="PascalCase"):
            App().models.register_asset(name)

    def test_a_model_is_declared_once(self):
        app = App()
        app.models.register_asset("Truck")
        with pytest.raises(ValueError, match="twice"):
            app.models.register_asset("Truck")


class TestLifeCycle:
    @pytest.mark.parametrize("name", ["sdk", "config"])
    def test_before_the_start_it_is_unavailable(self, name):
        with pytest.raises(RouterError) as refused:
            getattr(App(), name)
        assert refused.value.id == "plugin.runtime.unavailable_before_start"

    @pytest.mark.parametrize(
        "register",
        [
            lambda app: app.pipe.register("document:*", hello),
            lambda app: app.pipe("document:*")(hello),
            lambda app: app.hook.register("document:*", hello),
            lambda app: app.controller.register("greeting", {"hello": hello}),
            lambda app: app.models.register_asset("Truck"),
            lambda app: app.errors.register("acme.fleet.late", "late"),
        ],
        ids=["pipe", "pipe decorator", "hook", "controller", "models", "errors"],
    )
    async def test_after_the_start_nothing_more_is_registered(self, register):
        app = started(App())
        with pytest.raises(RouterError) as refused:
            register(app)
        assert refused.value.id == "plugin.runtime.already_started"

    async def test_config_is_the_settings_in_force(self):
        app = started(App())
        assert app.config == Settings()
        assert app.started

    async def test_a_stopped_application_may_be_started_again(self):
        app = started(App())
        app.stop()
        assert not app.started
        app.hook.register("document:*", hello)
        assert started(app).started
