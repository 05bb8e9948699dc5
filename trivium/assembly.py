"""The composition root: which parts make a router, and how they are put together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

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
        models = Models()
        app.models.add_to(models)
        admin_index = settings.device_manager.admin_index
        self.engines = Engines(self.storage, models, admin_index=admin_index)
        self.register = make_register(self.private, self.storage, lambda: self.table.names())  # noqa: PLW0108 - made below
        self.entrance = make_entrance(
            self.private,
            self.register,
            self.connections,
            settings,
            stores.make_keys(settings, storage, self.private),
        )
        self.authority = self.entrance.authority
        self.following = (
            Following(self.private, self.register.directory, self.entrance.papers)
            if stores.is_shared(settings, storage, private)
            else None
        )
        self.shelf = MessageShelf(self.private)
        self.broker = make_broker(settings, self.shelf)
        self.deliveries = make_deliveries(settings, self.connections, self.events)
        self.notifier = make_notifier(settings, self.storage, self.deliveries)
        past = PastLimits.of(settings.realtime)
        self.past = Past(self.storage, self.notifier, self.connections, past)
        self.reviews = Reviews(self.notifier, self.authority, lambda *name: self.table.find(*name))  # noqa: PLW0108 - made below
        self.register.directory.on_change(self.reviews.due)
        self.audit = make_recorder(settings, has_data=storage is None)
        if self.audit is not None:
            self.observer.audited = self.audit.trail.counts
        self.sessions_store = stores.make_sessions(settings, storage)
        filters = FilterLimits.of(settings.realtime)
        self.memberships = Memberships(self.notifier, filters, self.past)
        self.journal = Journal(self.sessions_store or self.private, self.memberships)
        self.table = build_table(self._surroundings(settings))
        app.declare(self.table, self.events)
        log_all = settings.log.level == "debug"
        self.observer.watch(self.table, self.admission, log_all=log_all)
        self.router = self._router()
        self.twins = make_twins(self, settings) if settings.twins.enabled else None
        if self.twins is not None:
            self.register.directory.on_change(self.twins.review)

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
            notifier=self.notifier,
            reviews=self.reviews,
            past=self.past,
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
        door: Doorkeeper = core.entrance.authority
        if core.audit is not None:
            door = RecordingDoor(door, core.audit.trail)
        topics = TopicDoor(core.register.directory, rates=core.router.rates)
        self.mqtt = MqttListener(
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
        self.restoring = Restoring(self.mqtt.sessions, core.journal, topics)
        sessions = self.mqtt.sessions
        core.observer.waiting_sessions = lambda: (sessions.kept, sessions.queued_bytes)
        self.mqtt.sessions.is_restored = False
        core.memberships.watch(self.mqtt.sessions.changed)


def make_broker(settings: Settings, shelf: Shelf | None = None) -> Broker:
    """What hands the messages of MQTT clients to each other.

    Args:
        shelf: Where retained messages outlive the router.
    """
    chosen = settings.mqtt
    most_bytes = chosen.retained_mb * 1_048_576
    retained = Retained(most=chosen.retained_messages, most_bytes=most_bytes, clock=system_ms)
    return Broker(retained, clock=system_ms, shelf=shelf)


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
    """The topics that tell of assets."""
    return Twins(
        core.storage,
        core.authority,
        core.deliveries,
        ask=core.router.dispatch,
        find=core.table.find,
        check_s=settings.twins.check_s,
    )


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
