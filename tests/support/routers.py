"""A router without wires or store, around whatever actions a test gives it."""

from __future__ import annotations

from router.actions import ActionTable
from router.admission import Admission
from router.dispatch import Router
from router.events import Events
from router.observe import Observer
from storage.memory import MemoryStorage
from tests.support.small_router import OpenAuthority


def open_router(table: ActionTable, events: Events) -> Router:
    """A router that lets everybody in."""
    return Router(
        table,
        events=events,
        authority=OpenAuthority(),
        admission=Admission(at_work=100, waiting=100),
        meter=Observer(),
        memory=MemoryStorage(),
    )
