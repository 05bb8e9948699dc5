"""The table of all actions that the router has before an application adds its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from access.entrance import Entrance
from access.register import Register
from controllers import debug, unserved
from controllers.administration.dumps import Dumps
from controllers.administration.loading import Loading
from controllers.administration.upkeep import Upkeep
from controllers.api.documents import ApiDocuments
from controllers.api_keys import ApiKeyActions
from controllers.audit import Audit, Record
from controllers.bulk import Bulk
from controllers.cluster import Cluster
from controllers.collection import Collections
from controllers.cursors import Cursors
from controllers.device_manager import forms
from controllers.device_manager.asset import AssetController
from controllers.device_manager.assets import AssetsController
from controllers.device_manager.engine import EngineController
from controllers.device_manager.engines import Engines
from controllers.device_manager.imports import Imports
from controllers.device_manager.twins import Twins
from controllers.document import Documents
from controllers.documents.by_query import DocumentsByQuery
from controllers.documents.export import Export
from controllers.documents.many import ManyDocuments
from controllers.documents.metadata import Metadata
from controllers.documents.partial import PartialDocuments
from controllers.index import Indexes
from controllers.kept_settings import KeptSettings
from controllers.realtime import Realtime
from controllers.security import parts
from controllers.server import Server
from controllers.server_counts import Load, ServerCounts, told
from controllers.specifications import SpecificationActions
from controllers.streams import Streams
from controllers.tokens import TokenActions
from controllers.validation.registry import Specifications
from realtime.notifier import Notifier
from realtime.past import Past
from realtime.reviews import Reviews
from router.actions import Action, ActionTable
from router.envelope import JsonObject
from router.events import Events
from router.settings import Settings
from router.statistics import Statistics
from storage.contract import Storage


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the controllers work with.

    Attributes:
        private: Users, roles, profiles, credentials and tokens; nothing that clients may search.
        register: Users, profiles and roles; prepared before the first request.
        entrance: Tokens, API keys and logins; prepared before the first request.
        engines: Prepared (`await engines.prepare()`) before the first request.
        audit: What was recorded; None if nothing is.
        leaving: Set when somebody asks the router to end.
        node: The id of this node.
        version: The version of this router.
    """

    storage: Storage
    private: Storage
    register: Register
    entrance: Entrance
    events: Events
    settings: Settings
    engines: Engines
    load: Load
    statistics: Statistics
    notifier: Notifier
    reviews: Reviews
    past: Past
    node: str
    version: str
    leaving: asyncio.Event
    audit: Record | None = None


def build_table(around: Surroundings) -> ActionTable:
    """Every action, in the order in which the peer's public API lists them."""
    table = ActionTable()
    natives: set[str] = set()
    documents = ApiDocuments(
        table=table, natives=natives, mqtt=around.settings.mqtt, version=around.version
    )
    people = _people(around, table)
    specifications = Specifications(around.private)
    data = _data(around, specifications)
    for action in (
        *_of("auth", people),
        *_of("bulk", data),
        *Cluster(around.node, around.settings.server.host).actions(),
        *_of("collection", data),
        *debug.actions(),
        *_of("document", data),
        *_of("index", data),
        *_listening(around, specifications),
        *_of("security", people),
        *_of("server", (*_server(around, table), *documents.actions())),
        *_of("admin", (*people, *_administration(around, specifications))),
        *unserved.redis(),
        *unserved.routed_only(),
        *_device_manager(around),
    ):
        table.add(action)
        natives.add(action.controller)
    return table


def _server(around: Surroundings, table: ActionTable) -> tuple[Action, ...]:
    server = Server(
        storage=around.storage,
        settings=around.settings,
        api=table.public_api,
        has_admin=around.register.directory.admin_exists,
        node=around.node,
        version=around.version,
    )
    counts = ServerCounts(around.load, around.notifier.rooms, around.statistics)
    return (*server.actions(), *counts.actions())


def _listening(around: Surroundings, specifications: Specifications) -> list[Action]:
    realtime = _realtime(around, specifications)
    follow = around.entrance.authority.follow
    streams = Streams(realtime, around.notifier.deliveries.connections, follow, around.node)
    return _of("realtime", (*realtime.actions(), *streams.actions()))


def _realtime(around: Surroundings, specifications: Specifications) -> Realtime:
    settings = around.settings.realtime
    return Realtime(
        around.storage, around.notifier, around.reviews, around.past, settings, specifications
    )


def _people(around: Surroundings, table: ActionTable) -> tuple[Action, ...]:
    entrance, settings = around.entrance, around.settings
    tokens = TokenActions(entrance.authority, entrance.papers, settings.access)
    keys = ApiKeyActions(
        entrance.authority, entrance.papers, settings.access, settings.documents.fetch_max
    )
    return (
        *parts.actions(around.register, around.private, settings, table),
        *tokens.actions(),
        *keys.own(),
        *keys.of_users(),
        *Audit(around.audit).actions(),
    )


def _administration(around: Surroundings, specifications: Specifications) -> tuple[Action, ...]:
    directory, papers, kept = (
        around.register.directory,
        around.entrance.papers,
        KeptSettings(around.private),
    )

    async def forget() -> None:
        await directory.refresh()
        await papers.tokens.recheck()
        await papers.api_keys.recheck()
        await specifications.refresh()

    def describe() -> JsonObject:
        return {
            "node": around.node,
            "version": around.version,
            "settings": around.settings.without_secrets().model_dump(mode="json"),
            "statistics": [told(frame) for frame in around.statistics.all()],
        }

    upkeep = Upkeep(
        storage=around.storage,
        settings=kept,
        engines=around.engines,
        dumps=Dumps(around.settings),
        forget=forget,
        describe=describe,
        leaving=around.leaving,
    )
    return (*upkeep.actions(), *Loading(around.storage, kept).actions())


def _of(controller: str, actions: Sequence[Action]) -> list[Action]:
    own = [action for action in actions if action.controller == controller]
    return sorted(own, key=lambda action: action.name)


def _data(around: Surroundings, specifications: Specifications) -> tuple[Action, ...]:
    storage, private, settings = around.storage, around.private, around.settings.documents
    cursors = Cursors(storage, around.settings.scrolls)
    kept, metadata = KeptSettings(private), Metadata(around.events)
    return (
        *Collections(storage, kept, around.notifier.rooms).actions(),
        *SpecificationActions(
            storage, specifications, settings, private, Cursors(private, around.settings.scrolls)
        ).actions(),
        *Indexes(storage, kept, around.entrance.authority).actions(),
        *Documents(storage, settings, cursors, specifications, metadata).actions(),
        *cursors.actions(),
        *ManyDocuments(storage, settings).actions(),
        *PartialDocuments(storage, metadata).actions(),
        *DocumentsByQuery(storage, settings).actions(),
        *Bulk(storage).actions(),
        *Export(storage).actions(),
    )


def _device_manager(around: Surroundings) -> tuple[Action, ...]:
    settings = around.settings
    http_form = settings.device_manager.http_form
    twins = Twins(around.storage, around.events, around.engines)
    plural = AssetsController(
        form=forms.plural(http_form), twins=twins, settings=settings.documents
    )
    singular = AssetController(
        form=forms.singular(http_form),
        twins=twins,
        imports=Imports(around.storage, around.engines, settings.device_manager.import_batch),
        settings=settings.documents,
    )
    engine = EngineController(around.engines, around.entrance.authority)
    return (*plural.actions(), *singular.actions(), *engine.actions())
