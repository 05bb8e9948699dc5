"""The complete router over a store in memory, asked without any wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from access.entrance import make_entrance
from access.keyring import MemoryKeys
from access.register import Register, make_register
from controllers import Surroundings, build_table
from controllers.device_manager.engines import Engines
from controllers.device_manager.models import AssetModel, Models, Slot
from realtime.notifier import Notifier
from realtime.past import Past
from realtime.reviews import Reviews
from realtime.turns import PastLimits
from router.admission import Admission
from router.connections import Connections
from router.dispatch import Router
from router.envelope import Connection, Request, Response
from router.events import Events
from router.settings import DeviceManagerSettings, DocumentSettings, RealtimeSettings, Settings
from router.statistics import Statistics
from storage.contract import Storage
from storage.memory import MemoryStorage
from tests.support.small_router import CountingMeter
from trivium.assembly import make_deliveries, make_notifier

CONTAINER = AssetModel(
    model="Container",
    metadata_mappings={
        "height": {"type": "integer"},
        "weight": {"type": "integer"},
        "trailer": {"properties": {"capacity": {"type": "integer"}}},
    },
    default_metadata={"height": 20, "trailer.capacity": 7},
    measures=(Slot("temperatureExt", "temperature"), Slot("position", "position")),
    locales={"en": {"friendlyName": "Container", "description": "A box"}},
)
"""A model like the one of the recorded exchanges."""


class SteadyLoad:
    """A load that tests set by hand."""

    def __init__(self) -> None:
        self.running, self.waiting = 1, 0
        self.open: dict[str, int] = {}

    def succeeded(self) -> Mapping[str, int]:
        return {}

    def failed(self) -> Mapping[str, int]:
        return {}

    def ongoing(self) -> Mapping[str, int]:
        return {}

    def requests_running(self) -> int:
        return self.running

    def requests_waiting(self) -> int:
        return self.waiting

    def connections(self) -> Mapping[str, int]:
        return self.open


@dataclass
class InProcess:
    """A started router and what stands behind it."""

    storage: Any
    events: Events
    engines: Engines
    router: Router
    register: Register
    notifier: Notifier
    past: Past
    load: SteadyLoad = field(default_factory=SteadyLoad)
    connections: Connections = field(default_factory=Connections)

    async def ask(
        self,
        name: str,
        body: object = None,
        *,
        wire: str = "websocket",
        connection: str = "c1",
        **arguments: object,
    ) -> Response:
        """The answer to one request, as a client of that connection would get it."""
        controller, _, action = name.rpartition(":")
        request: Any = Request(
            controller=controller,
            action=action,
            connection=Connection(connection, wire),  # type: ignore[arg-type]
            args={key: value for key, value in arguments.items() if value is not None},  # type: ignore[misc]
            body=body,  # type: ignore[arg-type]
        )
        return await self.router.dispatch(request)

    async def result(self, name: str, body: object = None, **arguments: Any) -> Any:
        """The result of a request that must succeed."""
        answer = await self.ask(name, body, **arguments)
        assert answer.error is None, answer.error
        assert answer.status == 200
        return answer.result

    async def refused(self, id: str, name: str, body: object = None, **arguments: Any) -> Any:
        """The error of a request that must be refused with that id."""
        answer = await self.ask(name, body, **arguments)
        assert answer.error is not None, f"{name} was answered: {answer.result}"
        assert answer.error["id"] == id, answer.error
        assert answer.status == answer.error["status"]
        return answer.error

    async def fleet(self, engine: str = "fleet") -> None:
        """Create an engine."""
        await self.result("device-manager/engine:create", index=engine)

    async def asset(self, id: str = "a1", **metadata: object) -> None:
        """Create an asset of an undeclared model in the engine `fleet`."""
        body = {"model": "Truck", "reference": id, "metadata": metadata}
        await self.result("device-manager/asset:create", body, index="fleet", _id=id)


@contextlib.asynccontextmanager
async def in_process(
    storage: Storage | None = None,
    *,
    models: tuple[AssetModel, ...] = (CONTAINER,),
    http_form: str = "asset",
    fetch_max: int = 10_000,
    **realtime: float,
) -> AsyncIterator[InProcess]:
    """Start a router; storage is a new one in memory unless given (and then already open)."""
    own = MemoryStorage() if storage is None else None
    store: Storage = own if own is not None else storage  # type: ignore[assignment]
    if own is not None:
        await own.open()
    events, registry, load = Events(), Models(), SteadyLoad()
    for model in models:
        registry.register_asset(model)
    settings = Settings(
        documents=DocumentSettings(fetch_max=fetch_max),
        realtime=RealtimeSettings(**realtime),
        device_manager=DeviceManagerSettings(http_form=http_form, import_batch=2),
    )
    engines = Engines(store, registry, admin_index=settings.device_manager.admin_index)
    await engines.prepare()
    private = MemoryStorage()
    register = make_register(private, store, lambda: table.names())  # noqa: PLW0108 - made below
    await register.prepare()
    connections = Connections()
    entrance = make_entrance(private, register, connections, settings, MemoryKeys())
    await entrance.prepare()
    authority = entrance.authority
    deliveries = make_deliveries(settings, connections, events)
    notifier = make_notifier(settings, store, deliveries)
    reviews = Reviews(notifier, authority, lambda *name: table.find(*name))  # noqa: PLW0108 - made below
    register.directory.on_change(reviews.due)
    past = Past(store, notifier, connections, PastLimits.of(settings.realtime))
    table = build_table(
        Surroundings(
            storage=store,
            private=private,
            register=register,
            entrance=entrance,
            events=events,
            settings=settings,
            engines=engines,
            load=load,
            statistics=Statistics(load, settings.statistics),
            notifier=notifier,
            reviews=reviews,
            past=past,
            node="node-1",
            version="1.2.3",
            leaving=asyncio.Event(),
        )
    )
    router = Router(
        table,
        events=events,
        authority=authority,
        admission=Admission(at_work=100, waiting=100),
        meter=CountingMeter(),
        memory=store,
    )
    yield InProcess(store, events, engines, router, register, notifier, past, load, connections)
    await past.close()
    await reviews.close()
    register.close()
    if own is not None:
        await own.close()
