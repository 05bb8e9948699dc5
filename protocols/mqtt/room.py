"""How much may wait for clients that are away: for each of them, and for all together."""

from __future__ import annotations

from router.settings import MqttSessionSettings

_MB = 1_048_576


class Pool:
    """The bytes that wait for all clients.

    Args:
        most: Bytes.
    """

    __slots__ = ("bytes", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0


def pool_of(settings: MqttSessionSettings) -> Pool:
    """The pool that the settings give."""
    return Pool(settings.queues_mb * _MB)


class Bounds:
    """The place that one client's messages have.

    Attributes:
        bytes: Those that it takes by now.
        drops_oldest: Whether an older message makes place for a newer one.
    """

    __slots__ = ("_pool", "_settings", "bytes")

    def __init__(self, settings: MqttSessionSettings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self.bytes = 0

    @property
    def drops_oldest(self) -> bool:
        """Whether an older message makes place for a newer one."""
        return self._settings.when_full == "drop_oldest"

    @property
    def most_messages(self) -> int:
        """How many have a place."""
        return self._settings.queue_messages

    def share(self, messages: int) -> float:
        """How much of the place is taken, by so many messages; 1 for all of it."""
        settings = self._settings
        free = self._pool.most - self._pool.bytes
        most_bytes = max(1, min(settings.queue_bytes, self.bytes + free))
        return max(messages / settings.queue_messages, self.bytes / most_bytes)

    def may_ever(self, size: int) -> bool:
        """Whether a message of that size has a place in an empty queue."""
        return size <= self._settings.queue_bytes

    def take(self, size: int, messages: int) -> bool:
        """Take a place beside so many messages; False if there is none."""
        if (
            messages >= self._settings.queue_messages
            or self.bytes + size > self._settings.queue_bytes
            or self._pool.bytes + size > self._pool.most
        ):
            return False
        self.bytes += size
        self._pool.bytes += size
        return True

    def give_back(self, size: int) -> None:
        """A message is gone."""
        self.bytes -= size
        self._pool.bytes -= size
