"""The action table: every API action as data; routes, rights and descriptions derive from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from router.document_events import DocumentEvents
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.places import Places, own

Handler: TypeAlias = Callable[[Request], Awaitable["Json | Reply"]]
OrderKey: TypeAlias = Callable[[Request], "Hashable | None"]


class Route(NamedTuple):
    """One HTTP way to an action: a verb in capitals and a path with `:name` segments."""

    verb: str
    path: str


class Argument(NamedTuple):
    """One argument as documentation; the handler's readers do the checking."""

    name: str
    type: Literal["string", "integer", "number", "flag", "array", "object", "any"]
    description: str
    required: bool = False
    place: Literal["args", "body"] = "args"


_GUARDS: Final = (
    Argument(
        "ifVersion",
        "any",
        "Write only at this version of the document: a number, or the text `version-incarnation` "
        "of an ETag. Over HTTP also the header If-Match.",
    ),
    Argument(
        "idempotencyKey",
        "string",
        "Done once, however often it is sent: a repeat within a day gets the same answer. "
        "Over HTTP also the header Idempotency-Key, in MQTT 5 the user property idempotency-key.",
    ),
)
_GUARD_ERRORS: Final = (
    "api.assert.invalid_argument",
    "api.process.idempotency_key_reused",
    "services.storage.version_conflict",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What one API action is.

    Attributes:
        handler: Called with the request once it may run; returns the result, or a `Reply`.
        places: Which indexes and collections a request names, for rights that are bound to some.
            Has no default: an action that doesn't say can't be made.
        routes: In the order that the public API lists them (Kuzzle SDKs choose by it).
        rights: The (controller, action) names of which one must be allowed; its own name first.
        order_key: Names the document that a write is about (None: this request has no order);
            requests of one connection with equal keys take their turns as they arrived.
        errors: Ids that this action adds to those which every action can answer.
        is_guarded: It writes one document, through `controllers.writes`, so that it takes
            `ifVersion` (If-Match) and `idempotencyKey`.
        is_bare: Its result is sent as it is, without the envelope.
        media: Content types of the answer, if it isn't always JSON.
        documents: How its documents are seen by events that are the same for many actions
            (`generic:document:*`); None if it has no part in them.
        is_unserved: Known by name and always refused, so that clients learn why; the public API
            and the API documents leave it out.
        before_event, after_event, error_event: What its pipes and hooks listen to, such as
            `document:beforeUpdate`.
    """

    controller: str
    name: str
    handler: Handler
    places: Places
    summary: str
    routes: tuple[Route, ...] = ()
    arguments: tuple[Argument, ...] = ()
    body: Literal["none", "optional", "required"] = "none"
    result: str = ""
    errors: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    order_key: OrderKey | None = None
    is_guarded: bool = False
    is_bare: bool = False
    media: tuple[str, ...] = ("application/json",)
    documents: DocumentEvents | None = None
    is_unserved: bool = False
    before_event: str = field(init=False)
    after_event: str = field(init=False)
    error_event: str = field(init=False)

    def __post_init__(self) -> None:
        for stage in ("before", "after", "error"):
            event = f"{self.controller}:{stage}{self.name[:1].upper()}{self.name[1:]}"
            object.__setattr__(self, f"{stage}_event", event)
        if self.is_guarded:
            object.__setattr__(self, "arguments", (*self.arguments, *_GUARDS))
            errors = dict.fromkeys((*self.errors, *_GUARD_ERRORS))
            object.__setattr__(self, "errors", tuple(errors))

    @property
    def rights(self) -> tuple[tuple[str, str], ...]:
        """Every name under which a role may allow this action."""
        return ((self.controller, self.name), *self.aliases)


_NO_ACTIONS: Final[dict[str, Action]] = {}


class ActionTable:
    """All actions by controller and name, in the order they were added."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self._actions: dict[str, dict[str, Action]] = {}
        self._routes: dict[Route, Action] = {}
        for action in actions:
            self.add(action)

    def __iter__(self) -> Iterator[Action]:
        for actions in self._actions.values():
            yield from actions.values()

    def served(self) -> Iterator[Action]:
        """All that are not merely refused by name."""
        return (action for action in self if not action.is_unserved)

    def add(self, action: Action) -> None:
        """Take an action in.

        Raises:
            ValueError: Its name is already in the table.
            RouterError: `network.http.duplicate_url`, a route of it already leads elsewhere.
        """
        named = self._actions.setdefault(action.controller, {})
        if action.name in named:
            raise ValueError(f"action {action.controller}:{action.name} is declared twice")
        for route in action.routes:
            shape = Route(route.verb, _shape(route.path))
            if shape in self._routes:
                raise RouterError("network.http.duplicate_url", f"{route.verb} {route.path}")
            self._routes[shape] = action
        named[action.name] = action

    def has(self, controller: str, action: str) -> bool:
        """Whether there is an action of that name."""
        return action in self._actions.get(controller, ())

    def names(self) -> dict[str, Collection[str]]:
        """The names of all actions, by controller."""
        return {controller: named.keys() for controller, named in self._actions.items()}

    def get(self, controller: str, action: str) -> Action | None:
        """The action of that name, None if there is none."""
        return self._actions.get(controller, _NO_ACTIONS).get(action)

    def find(self, controller: str, action: str) -> Action:
        """The action of that name.

        Raises:
            RouterError: `api.process.controller_not_found`, `api.process.action_not_found`.
        """
        named = self._actions.get(controller)
        if named is None:
            raise RouterError("api.process.controller_not_found", controller)
        found = named.get(action)
        if found is None:
            raise RouterError("api.process.action_not_found", controller, action)
        return found

    def find_or_absent(self, controller: str, action: str) -> Action:
        """The action of that name, or one that only answers that there is none.

        So that who may not run it isn't told either whether it exists.
        """
        try:
            return self.find(controller, action)
        except RouterError as error:
            return _absent(controller, action, error)

    def public_api(self) -> JsonObject:
        """`{controller: {action: {controller, action, http?: [{path, url, verb}]}}}`.

        Kuzzle SDKs build their HTTP requests from it; order and number of the routes count.
        """
        api: dict[str, JsonObject] = {}
        for action in self.served():
            api.setdefault(action.controller, {})[action.name] = _describe(action)
        return {**api}


def _absent(controller: str, name: str, error: RouterError) -> Action:
    async def refuse(_: Request) -> Json:
        raise error

    return Action(
        controller=controller, name=name, handler=refuse, places=own, summary="Does not exist."
    )


def _describe(action: Action) -> JsonObject:
    described: JsonObject = {"action": action.name, "controller": action.controller}
    if action.routes:
        described["http"] = [
            {"path": route.path, "url": route.path, "verb": route.verb} for route in action.routes
        ]
    return described


def _shape(path: str) -> str:
    return "/".join(":" if part.startswith(":") else part for part in path.split("/"))
