"""What an application declares before it starts: pipes, hooks, controllers, models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypedDict, TypeVar

from msgspec import UnsetType

from controllers.device_manager.models import COMMONS, AssetModel, Models, Slot
from protocols.codec.frame import dumps
from router import places
from router.actions import Action, ActionTable, Handler, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.events import Events, Listener

OwnHandler: TypeAlias = Callable[[Request], "Json | Reply | Awaitable[Json | Reply]"]
Check: TypeAlias = Callable[[], None]
L = TypeVar("L", bound=Listener)

_VERBS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"})
_CONTROLLER: Final = re.compile(r"[\w-]+(/[\w-]+)?")


class HttpRoute(TypedDict):
    """One HTTP way to an action. Without a leading `/` the path is put under `/_/`."""

    verb: str
    path: str


class _Handled(TypedDict):
    handler: OwnHandler


class ActionDefinition(_Handled, total=False):
    """An action with its routes; without `http` it answers `GET /_/<controller>/<action>`."""

    http: Sequence[HttpRoute]


Definition: TypeAlias = "ActionDefinition | OwnHandler"


class ListenerRegister:
    """Registers pipes, or hooks; itself a decorator factory: `@app.pipe("event")`."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._listeners: list[tuple[str, Listener]] = []

    def __call__(self, event: str) -> Callable[[L], L]:
        """Decorate the function that is called with the payload of `event`."""

        def register(listener: L) -> L:
            self.register(event, listener)
            return listener

        return register

    def register(self, event: str, listener: Listener) -> None:
        """Call `listener(payload)` on every `event` (`document:beforeUpdate`, `document:*`…).

        A pipe returns the payload, changed or not, and rejects the request by raising; what
        a hook returns or raises changes nothing. Both may be plain or async functions.

        Raises:
            RouterError: `plugin.runtime.already_started`.
            TypeError: `listener` can't be called.
        """
        self._check()
        if not callable(listener):
            raise TypeError(f"the listener of {event} can't be called: {listener!r}")
        self._listeners.append((event, listener))

    def each(self, add: Callable[[str, Listener], None]) -> None:
        """Hand every (event, listener) over, in the order of registration."""
        for event, listener in self._listeners:
            add(event, listener)


class ControllerRegister:
    """Registers the application's own controllers."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._actions: dict[str, list[Action]] = {}

    def register(self, name: str, actions: Mapping[str, Definition]) -> None:
        """Add a controller: `{"greet": handler}` or `{"greet": {"handler": …, "http": […]}}`.

        Handlers get the `Request` and return the result (JSON) or a `Reply`.

        Raises:
            RouterError: `plugin.runtime.already_started`, `network.http.duplicate_url`.
            ValueError: A name that is taken or malformed, no action, an unknown verb.
        """
        self._check()
        if not _CONTROLLER.fullmatch(name):
            raise ValueError(f'"{name}" can\'t be the name of a controller')
        if name in self._actions:
            raise ValueError(f"controller {name} is registered twice")
        if not actions:
            raise ValueError(f"controller {name} has no actions")
        added = [_action(name, action, definition) for action, definition in actions.items()]
        # Duplicates among the application's own routes show up here, with the traceback.
        ActionTable(it for taken in (*self._actions.values(), added) for it in taken)
        self._actions[name] = added

    def add_to(self, table: ActionTable) -> None:
        """Put the controllers into the table of the router.

        Raises:
            RouterError: `network.http.duplicate_url`, a route already leads elsewhere.
            ValueError: The name of a controller is one of the router's own.
        """
        native = {action.controller for action in table}
        for name, actions in self._actions.items():
            if name in native:
                raise ValueError(f"the controller name {name} is taken by the router itself")
            for action in actions:
                table.add(action)


class MeasureSlot(TypedDict):
    """A named place of an asset for measures of one type."""

    name: str
    type: str


class ModelRegister:
    """Registers the device-manager's models."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._assets: dict[str, AssetModel] = {}

    def register_asset(
        self,
        model: str,
        *,
        engine_group: str = COMMONS,
        metadata_mappings: JsonObject | None = None,
        default_metadata: JsonObject | None = None,
        measures: Sequence[MeasureSlot] = (),
        locales: JsonObject | None = None,
    ) -> None:
        """Declare what assets of a model hold.

        Args:
            model: Its name in PascalCase.
            engine_group: Group of the engines whose assets may be of this model; by default all.
            metadata_mappings: `{field: {"type": "keyword"}, …}`; these fields are searchable.
            default_metadata: Values of a new asset; keys may be dotted paths.
            measures: Slots, e.g. `{"name": "outside", "type": "temperature"}`.
            locales: `{<language>: {"friendlyName", "description"}}`, copied into new assets.

        Raises:
            RouterError: `plugin.runtime.already_started`.
            ValueError: The name isn't PascalCase, or the model is declared twice.
        """
        self._check()
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", model):
            raise ValueError(f'Asset model "{model}" must be PascalCase')
        if model in self._assets:
            raise ValueError(f'Asset model "{model}" is registered twice')
        self._assets[model] = AssetModel(
            model=model,
            engine_group=engine_group,
            metadata_mappings=metadata_mappings or {},
            default_metadata=default_metadata or {},
            measures=tuple(Slot(slot["name"], slot["type"]) for slot in measures),
            locales=locales or {},
        )

    def add_to(self, models: Models) -> None:
        """Declare the models to the device-manager.

        Raises:
            ValueError: A slot's measure type is unknown.
        """
        for model in self._assets.values():
            models.register_asset(model)


def add_listeners(pipes: ListenerRegister, hooks: ListenerRegister, events: Events) -> None:
    """Hang an application's pipes and hooks on the events of the router."""
    pipes.each(events.add_pipe)
    hooks.each(events.add_hook)


def _action(controller: str, name: str, definition: Definition) -> Action:
    if callable(definition):
        handler, routes = definition, None
    else:
        handler, routes = definition["handler"], definition.get("http")
    if not callable(handler):
        raise ValueError(f"the handler of {controller}:{name} can't be called: {handler!r}")
    summary = (inspect.getdoc(handler) or f"{controller}:{name} of the application").split("\n")[0]
    default: HttpRoute = {"verb": "GET", "path": f"{_kebab(controller)}/{_kebab(name)}"}
    return Action(
        controller=controller,
        name=name,
        handler=_checked(handler),
        places=places.own,
        summary=summary,
        routes=tuple(_route(controller, name, route) for route in routes or [default]),
        body="optional",
    )


def _route(controller: str, name: str, route: HttpRoute) -> Route:
    verb = route["verb"].upper()
    if verb not in _VERBS:
        raise ValueError(f"{controller}:{name}: {route['verb']} is no verb of a route")
    path = route["path"]
    return Route(verb, path if path.startswith("/") else f"/_/{path}")


def _checked(handler: OwnHandler) -> Handler:
    async def call(request: Request) -> Json | Reply:
        outcome = handler(request)
        result = await outcome if inspect.isawaitable(outcome) else outcome
        content = result.result if isinstance(result, Reply) else result
        if not isinstance(content, UnsetType):
            _check_serialises(content)
        return result

    return call


def _check_serialises(content: Json) -> None:
    try:
        dumps(content)
    except TypeError:
        raise RouterError("plugin.controller.unserializable_response") from None


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
