"""The composition root: which parts make a router, and how they are put together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from access.audit.door import RecordingDoor
from access.audit.recorder import Recorder
from access.entrance import make_entrance
from access.register import make_register
from access.tokens import system_ms
from access.topic_rights import TopicDoor
from controllers.device_manager.engines import Engines
from controllers.device_manager.models import Models
from controllers.table import Surroundings, build_table
from protocols.callers import Proxies
from protocols.crowd import Crowd
from protocols.http import HttpListener
from protocols.mqtt import MqttListener
from protocols.mqtt.broker.broker import Broker, Shelf
from protocols.mqtt.broker.retained import Retained
from protocols.mqtt.broker.shelf import MessageShelf
from protocols.mqtt.journal import Journal
from protocols.mqtt.restoring import Restoring
from protocols.websocket import WebSocketWire
from realtime.deliveries import Deliveries, PipeLimits
from realtime.koncorde.parse import FilterLimits
from realtime.memberships import Memberships
from realtime.notifier import Notifier
from realtime.past import Past
from realtime.reviews import Reviews
from realtime.rooms import Rooms
from realtime.turns import PastLimits
from realtime.twins import Twins
from router.admission import Admission
from router.connections import Connections
from router.dispatch import Router
from router.events import Events
from router.observe import Observer
from router.ports import Doorkeeper
from router.settings import Settings
from router.statistics import Statistics
from storage.contract import Storage
from trivium import stores
from trivium.app import App
from trivium.following import Following
from trivium.pages import pages
from trivium.sdk.ears import Ears
from trivium.version import VERSION

_log = structlog.get_logger("trivium.server")


class Realtime(msgspec.Struct, frozen=True):
    """What tells clients of changes, and which clients are to be told."""

    deliveries: Deliveries
    notifier: Notifier
    past: Past
    reviews: Reviews
    memberships: Memberships


class Core:
    """Store, table and router of an application, without its wires.

    Args:
        storage: Where documents live; None for the engine of the settings.
        private: Where users, rights and tokens live, which no client may read or search. None for
            the engine of the settings, or for memory if `storage` is given.

    Raises:
        RouterError: `network.http.duplicate_url`.
        ValueError: A controller or model of the application can't be taken in.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        storage: Storage | None = None,
        private: Storage | None = None,
    ) -> None:
        self.node = f"trivium-{uuid.uuid4().hex[:12]}"
        self.observer = Observer()
        # Whoever runs the router waits for this, and stops it then.
        self.leaving = asyncio.Event()
        self.statistics = Statistics(self.observer, settings.statistics)
        self.connections = Connections()
        self.ears = Ears(self.connections, most=settings.realtime.pipes_waiting)
        self.events = Events(_hook_failed)
        limits = settings.limits
        self.admission = Admission(at_work=limits.requests_at_work, waiting=limits.requests_waiting)
        self.storage, self.private = stores.pair(settings, storage, private)
        self.sessions_store = stores.make_sessions(settings, storage)
        self.engines = make_engines(app, settings, self.storage)
        self.register = make_register(self.private, self.storage, lambda: self.table.names())  # noqa: PLW0108 - made below
        keys = stores.make_keys(settings, storage, self.private)
        self.entrance = make_entrance(self.private, self.register, self.connections, settings, keys)
        self.authority = self.entrance.authority
        is_shared = stores.is_shared(settings, storage, private)
        self.following = make_following(self) if is_shared else None
        self.shelf = MessageShelf(self.private)
        self.broker = make_broker(settings, self.shelf)
        self.realtime = make_realtime(self, settings)
        self.register.directory.on_change(self.realtime.reviews.due)
        self.journal = Journal(self.sessions_store or self.private, self.realtime.memberships)
        self.audit = make_recorder(settings, has_data=storage is None)
        if self.audit is not None:
            self.observer.audited = self.audit.trail.counts
        self.table = build_table(self._surroundings(settings))
        app.declare(self.table, self.events)
        self.observer.watch(self.table, self.admission, log_all=settings.log.level == "debug")
        self.router = self._router()
        self.twins = make_twins(self, settings) if settings.twins.enabled else None

    def _surroundings(self, settings: Settings) -> Surroundings:
        return Surroundings(
            storage=self.storage,
            private=self.private,
            register=self.register,
            entrance=self.entrance,
            events=self.events,
            settings=settings,
            engines=self.engines,
            load=self.observer,
            statistics=self.statistics,
            notifier=self.realtime.notifier,
            reviews=self.realtime.reviews,
            past=self.realtime.past,
            audit=self.audit,
            node=self.node,
            version=VERSION,
            leaving=self.leaving,
        )

    def _router(self) -> Router:
        return Router(
            self.table,
            events=self.events,
            authority=self.authority,
            admission=self.admission,
            meter=self.observer,
            memory=self.storage,
            auditor=None if self.audit is None else self.audit.trail,
            pending=self.journal.pending,
        )


class Wires:
    """The listeners of one router."""

    def __init__(self, core: Core, settings: Settings, *, is_ready: Callable[[], bool]) -> None:
        proxies = Proxies(settings.http)
        crowd = Crowd(settings.limits.connections_per_address, proxies.believes)
        self.websocket = WebSocketWire(
            core.router,
            settings,
            observer=core.observer,
            connections=core.connections,
            crowd=crowd,
            node=core.node,
        )
        self.http = HttpListener(
            core.router,
            core.table,
            settings,
            observer=core.observer,
            crowd=crowd,
            node=core.node,
            readiness=is_ready,
            metrics=core.observer.render,
            upgrade=self.websocket.upgrade,
            pages=pages(),
            guard=lambda: not core.register.directory.has_admin,
            auditor=None if core.audit is None else core.audit.trail,
        )
        topics = TopicDoor(core.register.directory)
        self.mqtt = make_mqtt(core, settings, crowd, topics)
        self.restoring = Restoring(self.mqtt.sessions, core.journal, topics)
        sessions = self.mqtt.sessions
        core.observer.waiting_sessions = lambda: (sessions.kept, sessions.queued_bytes)
        self.mqtt.sessions.is_restored = False
        core.realtime.memberships.watch(self.mqtt.sessions.changed)


def make_mqtt(core: Core, settings: Settings, crowd: Crowd, topics: TopicDoor) -> MqttListener:
    """The listener of MQTT clients; an audit is told of whom it refuses."""
    door: Doorkeeper = core.entrance.authority
    if core.audit is not None:
        door = RecordingDoor(door, core.audit.trail)
    return MqttListener(
        core.router,
        settings,
        observer=core.observer,
        connections=core.connections,
        crowd=crowd,
        node=core.node,
        doorkeeper=door,
        broker=core.broker,
        topics=topics,
        twins=core.twins,
        auditor=None if core.audit is None else core.audit.trail,
    )


def make_engines(app: App, settings: Settings, storage: Storage) -> Engines:
    """The tenants of the device manager, with the models of the application."""
    models = Models()
    app.models.add_to(models)
    return Engines(storage, models, admin_index=settings.device_manager.admin_index)


def make_following(core: Core) -> Following:
    """What hears of the changes that other routers make to users and rights."""
    return Following(core.private, core.register.directory, core.entrance.papers)


def make_broker(settings: Settings, shelf: Shelf | None = None) -> Broker:
    """What hands the messages of MQTT clients to each other.

    Args:
        shelf: Where retained messages outlive the router.
    """
    chosen = settings.mqtt
    most_bytes = chosen.retained_mb * 1_048_576
    retained = Retained(most=chosen.retained_messages, most_bytes=most_bytes, clock=system_ms)
    return Broker(retained, clock=system_ms, shelf=shelf)


def make_realtime(core: Core, settings: Settings) -> Realtime:
    """What tells of the changes in a router's public store."""
    deliveries = make_deliveries(settings, core.connections, core.events)
    notifier = make_notifier(settings, core.storage, deliveries)
    limits = PastLimits.of(settings.realtime)
    past = Past(core.storage, notifier, core.connections, limits)
    filters = FilterLimits.of(settings.realtime)
    return Realtime(
        deliveries=deliveries,
        notifier=notifier,
        past=past,
        reviews=Reviews(notifier, core.authority, lambda *name: core.table.find(*name)),  # noqa: PLW0108 - made later
        memberships=Memberships(notifier, filters, past),
    )


def make_deliveries(settings: Settings, connections: Connections, events: Events) -> Deliveries:
    """The way of notifications, through the pipes that hang on the events."""
    limits = settings.realtime
    return Deliveries(
        connections,
        events,
        PipeLimits(limits.pipes_at_work, limits.pipes_waiting, limits.pipe_timeout_s),
    )


def make_notifier(settings: Settings, storage: Storage, deliveries: Deliveries) -> Notifier:
    """The rooms of a router, told of every write that the store acknowledges."""
    limits = settings.realtime
    rooms = Rooms(most=limits.rooms, most_each=limits.rooms_per_connection)
    notifier = Notifier(rooms, deliveries, feed=lambda: storage.feed)
    storage.listen(notifier.written, lambda: bool(len(rooms)))
    return notifier


def make_twins(core: Core, settings: Settings) -> Twins:
    """The topics that tell of assets; rights are asked for anew when they may have changed."""
    twins = Twins(
        core.storage,
        core.authority,
        core.realtime.deliveries,
        ask=core.router.dispatch,
        find=core.table.find,
        check_s=settings.twins.check_s,
    )
    core.register.directory.on_change(twins.review)
    return twins


def make_recorder(settings: Settings, *, has_data: bool) -> Recorder | None:
    """The audit that the settings ask for, not opened yet.

    Args:
        has_data: Whether the folder `storage.data` is this router's own; if it isn't, an audit
            is kept only where `audit.folder` names another one.
    """
    chosen = settings.audit
    if not chosen.enabled or not (has_data or chosen.folder):
        return None
    return Recorder(
        chosen, audit_folder(settings), search_timeout_s=settings.storage.search_timeout_s
    )


def audit_folder(settings: Settings) -> Path:
    """Where the audit of a router with these settings is."""
    return Path(settings.audit.folder) if settings.audit.folder else settings.storage.data / "audit"


def _hook_failed(event: str, error: BaseException) -> None:
    _log.error("hook failed", event_name=event, exc_info=error)
