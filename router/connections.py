"""Open connections by their ids: what they can be told that nobody asked for, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Protocol

from router.envelope import JsonObject

SERVER_CHANNEL: Final = "kuzzle:notification:server"
"""Where clients hear of what concerns their connection as a whole (Kuzzle reference 2.2)."""

TWINS: Final = "twins/"
"""What the topics of assets begin with; the engine and the id follow."""

TWIN: Final = "twin"
"""The `type` of messages that are the state of an asset: `{_id, _version, _source}`, `_source` null
for one that is gone; `isRetained` where a subscriber is told what was so before it came."""


class Notification:
    """A message of the router's own accord; one object serves all connections that it goes to.

    Attributes:
        channel: WebSocket clients find it as `room`, MQTT clients as the topic.
        content: The message without `node` and `room`, which the wires add.
        is_direct: It reaches an MQTT client that has not subscribed to the channel, too.
    """

    __slots__ = ("_encoded", "channel", "content", "is_direct")

    def __init__(self, channel: str, content: JsonObject, *, is_direct: bool = False) -> None:
        self.channel = channel
        self.content = content
        self.is_direct = is_direct
        self._encoded: dict[Hashable, bytes] = {}

    def encoded(self, form: Hashable, encode: Callable[[Notification], bytes]) -> bytes:
        """The message as bytes of a form that a wire names; made once, however many get it."""
        made = self._encoded.get(form)
        if made is None:
            made = self._encoded[form] = encode(self)
        return made


class Sink(Protocol):
    """One connection, as its wire offers it.

    Neither call waits: what a client doesn't read is bounded, and a client that goes on not
    reading is cut off, as for answers.
    """

    def notify(self, notification: Notification) -> None:
        """Send a message; dropped quietly once the connection is closing."""

    def expel(self, reason: str) -> None:
        """Close the connection, since its client may be here no longer."""

    def unsent(self) -> int:
        """Bytes that wait until the client reads them."""

    def hears(self, channel: str) -> bool:
        """Whether messages of a channel reach the client now; if not, the wire says by
        `Connections.subscribed` when that may have changed."""


class Connections:
    """Every connection that stays open between requests: WebSocket and MQTT, not HTTP."""

    def __init__(self) -> None:
        self._sinks: dict[str, Sink] = {}
        self._announce: Callable[[str, Notification], object] = self.notify
        self._closed_listeners: list[Callable[[str], None]] = []
        self._signed_out_listeners: list[Callable[[str], None]] = []
        self._revoked_listeners: list[Callable[[str], None]] = []
        self._moved_listeners: list[Callable[[str, str], None]] = []
        self._parted_listeners: list[Callable[[str, str], Iterable[str]]] = []
        self._subscribed_listeners: list[Callable[[str], None]] = []

    def __contains__(self, id: str) -> bool:
        return id in self._sinks

    def __len__(self) -> int:
        return len(self._sinks)

    def opened(self, id: str, sink: Sink) -> None:
        """A wire has a new connection, or another sink for it; `closed` must follow."""
        self._sinks[id] = sink

    def moved(self, id: str, older_id: str) -> None:
        """A new connection goes on where that of the older id was left: by its id. Does nothing if
        it is gone already."""
        sink = self._sinks.pop(id, None)
        if sink is None:
            return
        self._sinks[older_id] = sink
        for listener in self._moved_listeners:
            listener(id, older_id)
        self.subscribed(older_id)

    def parted(self, id: str, user_id: str) -> set[str]:
        """The client of a connection that goes on without it is away: only what it was let in to
        as that user stays. The channels of everything else."""
        return {name for listener in self._parted_listeners for name in listener(id, user_id)}

    def closed(self, id: str, sink: Sink | None = None) -> None:
        """The connection is gone; once told, further calls do nothing.

        Args:
            sink: Do nothing either if it has another sink by now.
        """
        if sink is not None and self._sinks.get(id) is not sink:
            return
        if self._sinks.pop(id, None) is not None:
            for listener in self._closed_listeners:
                listener(id)

    def notify(self, id: str, notification: Notification) -> bool:
        """Send a message to a connection; False if it isn't there."""
        sink = self._sinks.get(id)
        if sink is None:
            return False
        sink.notify(notification)
        return True

    def announce(self, id: str, notification: Notification) -> None:
        """Send a message that concerns the connection as a whole; the application's pipes may hold
        it up, change it, or keep it."""
        self._announce(id, notification)

    def announce_by(self, announce: Callable[[str, Notification], object]) -> None:
        """Let such messages go this way; it ends in `notify`."""
        self._announce = announce

    def expel(self, id: str, reason: str) -> None:
        """Close a connection whose client may be here no longer."""
        sink = self._sinks.get(id)
        if sink is not None:
            sink.expel(reason)

    def unsent(self, id: str) -> int:
        """Bytes that a connection has not read yet."""
        sink = self._sinks.get(id)
        return 0 if sink is None else sink.unsent()

    def hears(self, id: str, channel: str) -> bool:
        """Whether messages of a channel reach the client of a connection."""
        sink = self._sinks.get(id)
        return sink is not None and sink.hears(channel)

    def subscribed(self, id: str) -> None:
        """What channels the client of a connection hears may have changed."""
        for listener in self._subscribed_listeners:
            listener(id)

    def revoked(self, id: str, reason: str) -> None:
        """Close a connection, and end what outlives it: what it was opened with was revoked."""
        for listener in self._revoked_listeners:
            listener(id)
        self.expel(id, reason)

    def signed_out(self, id: str) -> None:
        """The token that a connection used last has ended: what it was let in to ends, too."""
        for listener in self._signed_out_listeners:
            listener(id)

    def on_closed(self, listener: Callable[[str], None]) -> None:
        """Call the listener with the id of each connection that is gone."""
        self._closed_listeners.append(listener)

    def on_revoked(self, listener: Callable[[str], None]) -> None:
        """Call the listener with the id of each connection that nobody may go on with."""
        self._revoked_listeners.append(listener)

    def on_moved(self, listener: Callable[[str, str], None]) -> None:
        """Call the listener with the id that a connection had and the older one that it has."""
        self._moved_listeners.append(listener)

    def on_parted(self, listener: Callable[[str, str], Iterable[str]]) -> None:
        """Call the listener with the id of each connection whose client is away and the user whom
        it stays for; it answers with the names of the channels that it ends."""
        self._parted_listeners.append(listener)

    def on_subscribed(self, listener: Callable[[str], None]) -> None:
        """Call the listener with the id of each connection that may hear more channels."""
        self._subscribed_listeners.append(listener)

    def on_signed_out(self, listener: Callable[[str], None]) -> None:
        """Call the listener with the id of each connection whose subscriptions are to end."""
        self._signed_out_listeners.append(listener)
