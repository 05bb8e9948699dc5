"""The application: what hangs on the router's events, its own actions, and the way back in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from router.errors import RouterError
from trivium.errors import Errors
from trivium.registers import ControllerRegister, ListenerRegister, ModelRegister, add_listeners

if TYPE_CHECKING:
    from router.actions import ActionTable
    from router.dispatch import Router
    from router.events import Events
    from router.settings import Settings
    from trivium.sdk import Sdk
    from trivium.sdk.ears import Ears


class App:
    """An application of the router.

    Declare first (`pipe`, `hook`, `controller`, `models`, `errors`), then let `trivium serve
    --app FILE` start it; `sdk` and `config` are there once it runs.

    Args:
        name: Lower case letters, digits and hyphens; it stands in the log.
    """

    def __init__(self, name: str = "app") -> None:
        self.name = name
        self.pipe = ListenerRegister(lambda: self._refuse_once_started("pipe"))
        self.hook = ListenerRegister(lambda: self._refuse_once_started("hook"))
        self.controller = ControllerRegister(lambda: self._refuse_once_started("controller"))
        self.models = ModelRegister(lambda: self._refuse_once_started("models"))
        self.errors = Errors(lambda: self._refuse_once_started("errors"))
        self.log = structlog.stdlib.get_logger("trivium.app", app=name)
        self._running: tuple[Settings, Sdk] | None = None

    @property
    def started(self) -> bool:
        """Whether the router serves this application."""
        return self._running is not None

    @property
    def sdk(self) -> Sdk:
        """Every API action, in process: `await app.sdk.document.get(index, collection, id)`.

        Raises:
            RouterError: `plugin.runtime.unavailable_before_start`.
        """
        return self._started("sdk")[1]

    @property
    def config(self) -> Settings:
        """The settings in force.

        Raises:
            RouterError: `plugin.runtime.unavailable_before_start`.
        """
        return self._started("config")[0]

    def declare(self, table: ActionTable, events: Events) -> None:
        """Put what was registered into the router; the composition root calls this, once.

        Models were declared before, since the table is made with them.

        Raises:
            RouterError: `network.http.duplicate_url`.
            ValueError: A controller's name is one of the router's own.
        """
        self.controller.add_to(table)
        add_listeners(self.pipe, self.hook, events)

    def start(self, router: Router, settings: Settings, ears: Ears) -> None:
        """Open `sdk` and `config`, close the registers.

        Args:
            ears: What keeps the subscriptions of `sdk.realtime`.
        """
        from trivium.sdk import Sdk  # noqa: PLC0415 - apart, so that declaring is quick

        self._running = (settings, Sdk(router, ears))

    def stop(self) -> None:
        """Close `sdk` and `config`; the application may be started again."""
        self._running = None

    def _started(self, name: str) -> tuple[Settings, Sdk]:
        if self._running is None:
            raise RouterError("plugin.runtime.unavailable_before_start", name)
        return self._running

    def _refuse_once_started(self, name: str) -> None:
        if self._running is not None:
            raise RouterError("plugin.runtime.already_started", name)
