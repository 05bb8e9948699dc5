"""The MQTT listener: its connections, its clients by name, the requests at work."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from functools import partial
from typing import Final

import msgspec

from protocols.codec import frame
from protocols.codec.mqtt.packets import Will
from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.crowd import Crowd
from protocols.mqtt.answers import RATE_EXCEEDED
from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.connection import LINGER_S, MqttConnection
from protocols.mqtt.job import Job, Storing
from protocols.mqtt.kept_out import report
from protocols.mqtt.knock import Knock, refusal_of
from protocols.mqtt.publishing import carry_out
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.state import EVERY_TOPIC, NO_TOPICS, SessionState
from protocols.mqtt.terms import terms_of
from protocols.tls import Certificates, Door, open_door
from protocols.tls.identity import user_of
from protocols.vigil import BACKLOG, keep
from router.connections import Connections
from router.envelope import Bearer, Connection, Request, Response, refusal
from router.errors import RouterError, TooSoonError
from router.ports import (
    Auditor,
    ConnectionObserver,
    Dispatcher,
    Doorkeeper,
    TopicAuthority,
    TopicRights,
    Twins,
    Unaudited,
)
from router.rates import Rates
from router.settings import Settings

SPARE_CONNECTIONS: Final = 64
"""Connections above a limit that are kept to be told so; further ones are dropped."""

_SOONEST_S: Final = 0.01
_LATEST_S: Final = 60.0


class MqttListener:
    """Serves MQTT 3.1, 3.1.1 and 5, on a port with TLS, one without, or both.

    Args:
        broker: What clients publish to each other goes by it.
        doorkeeper: Checks what a CONNECT is sent with; None: it isn't looked at.
        topics: Tells what clients may do with topics; None: nobody is asked.
        connections: Told of each connection, so that it can be sent notifications.
        node: This router's name, sent with every answer.
        crowd: Counts the connections of each address.
        twins: The topics of assets; None: there are none.
        auditor: Told of clients that have no right to a topic.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        router: Dispatcher,
        settings: Settings,
        *,
        observer: ConnectionObserver,
        connections: Connections,
        crowd: Crowd,
        node: str,
        broker: Broker,
        doorkeeper: Doorkeeper | None = None,
        topics: TopicAuthority | None = None,
        twins: Twins | None = None,
        auditor: Auditor | None = None,
    ) -> None:
        terms = terms_of(
            settings,
            node,
            checks_credentials=doorkeeper is not None,
            checks_rights=topics is not None,
            twins=twins,
        )
        self.sessions = Sessions(terms, broker, connections)
        self._topics = topics
        self.sessions.on_will = self._will
        self.sessions.on_kept_out = partial(report, Unaudited() if auditor is None else auditor)
        self.sessions.on_earlier = self._arm
        self.sessions.on_dropped = lambda: self.refused("queue_full")
        self._alarm: asyncio.TimerHandle | None = None
        self._doorkeeper = doorkeeper
        self.max_unsent_bytes = settings.mqtt.max_unsent_bytes
        self._router = router
        self._observer = observer
        self._max_connections = settings.limits.connections
        self._tls = settings.tls
        self._crowd = crowd
        self._rate_limit = settings.mqtt.rate_limit
        self._rates = Rates()
        self.sessions.may_send = self._is_within_rate
        self._servers: list[asyncio.Server | Door] = []
        self._connections: set[MqttConnection] = set()
        self._open = connections
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop
        self._none_left = asyncio.Event()

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    async def start(self, host: str, port: int, *, certificates: Certificates | None = None) -> int:
        """Listen, with TLS if there are certificates; once for each port.

        Returns:
            The port, which the system chooses for 0.

        Raises:
            OSError: The address can't be listened on.
        """
        self._loop = asyncio.get_running_loop()
        if certificates is not None:
            door = await open_door(self, certificates, self._tls, (host, port))
            self._servers.append(door)
            self._arm()
            return door.port
        server = await self._loop.create_server(self.make_connection, host, port, backlog=BACKLOG)
        keep(server.sockets)
        self._servers.append(server)
        self._arm()
        found: int = server.sockets[0].getsockname()[1]
        return found

    async def stop(self, timeout_s: float) -> None:
        """Take nothing more in, finish what was let in, say goodbye and close.

        Requests that are still at work after `timeout_s` are cancelled; it returns a few
        seconds later than that at most. Does nothing before `start`.
        """
        if not self._servers:
            return
        for server in self._servers:
            server.close()
        deadline = self._loop.time() + timeout_s
        for connection in list(self._connections):
            connection.pause()
        await self._finish(deadline)
        await self._close()
        self.sessions.close()
        # Wills that are messages go out when the loop comes round.
        await asyncio.sleep(0)
        if self._alarm is not None:
            self._alarm.cancel()
        # What clients left to be done when their connection ends.
        await self._finish(deadline)
        await self._cancel()

    # -- for the doors ------------------------------------------------------------------

    def make_connection(self) -> MqttConnection:
        """The protocol of a client that was let in."""
        return MqttConnection(self)

    def may_enter(self, address: str) -> bool:
        """Whether that address may have one more connection."""
        return self._crowd.has_room(address)

    def turned_away(self, reason: str) -> None:
        """Count a client that TLS was not begun or ended with."""
        self.refused(reason)

    def plain_answer(self) -> bytes:
        """Nothing: no packet of MQTT says it."""
        return b""

    # -- for the connections ------------------------------------------------------------

    def certified(self, transport: asyncio.BaseTransport) -> str:
        """The user that a client's certificate names, empty without one."""
        return user_of(transport, self._tls)

    def is_full(self, address: str) -> bool:
        """Whether the next client is refused, if it comes from that address."""
        return len(self._connections) >= self._max_connections or not self._crowd.has_room(address)

    def opened(self, connection: MqttConnection, address: str) -> None:
        """A TCP connection was made."""
        self._connections.add(connection)
        self._open.opened(connection.id, connection)
        self._observer.opened("mqtt")
        self._crowd.enter(address)
        excess = max(len(self._connections) - self._max_connections, self._crowd.excess(address))
        if excess > SPARE_CONNECTIONS:
            self.refused("connections")
            connection.abort()

    def lost(self, address: str) -> None:
        """A TCP connection is gone, though what it sent may still be to be done."""
        self._crowd.leave(address)

    def left(self, connection: MqttConnection) -> None:
        """Its client is gone; what it sent may still be to be done."""
        if not connection.is_kept:
            self._open.closed(connection.id, connection)

    def subscribed(self, connection: MqttConnection) -> None:
        """Its client has subscribed to topics."""
        self._open.subscribed(connection.id)

    def closed(self, connection: MqttConnection) -> None:
        """It is gone, with all that it sent."""
        self._connections.discard(connection)
        self._observer.closed("mqtt")
        if not self._connections:
            self._none_left.set()

    def refused(self, reason: str) -> None:
        """Something was refused on it."""
        self._observer.refused("mqtt", reason)

    def admit(self, client: MqttConnection, connection: Connection, knock: Knock) -> None:
        """Check what a client was sent with; other clients don't wait for that."""
        key = object()
        self._tasks[key] = self._loop.create_task(self._admit(key, client, connection, knock))

    def run(self, connection: MqttConnection, job: Job | Storing) -> None:
        """Dispatch a request, or await what is stored; requests start in the order of these
        calls."""
        serving = (
            self._serve(connection, job) if isinstance(job, Job) else self._store(connection, job)
        )
        self._tasks[job] = self._loop.create_task(serving)

    # -- inside -------------------------------------------------------------------------

    def _will(self, state: SessionState, will: Will) -> None:
        if will.topic != self.sessions.terms.request_topic:
            # Later, as it may have others cut off, who have wills as well.
            self._loop.call_soon(self._publish_will, state, will)
            return
        try:
            request = frame.decode(will.payload, state.connection, self.sessions.terms.frame)
        except frame.BadFrameError:
            self.refused("bad_will")
            return
        key = object()
        self._tasks[key] = self._loop.create_task(self._carry_out(key, request))

    def _publish_will(self, state: SessionState, will: Will) -> None:
        if not carry_out(self.sessions, state, will):
            self.refused("will")

    def _arm(self) -> None:
        if not self._servers:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        deadline = self.sessions.deadline
        if deadline < math.inf:
            # Looked at again after a while at the latest: the clock may have been set.
            delay_s = min(max(deadline - time.time(), _SOONEST_S), _LATEST_S)
            self._alarm = self._loop.call_later(delay_s, self._look)

    def _look(self) -> None:
        self.sessions.look()
        self._arm()

    async def _admit(
        self, key: object, client: MqttConnection, connection: Connection, knock: Knock
    ) -> None:
        try:
            bearer, rights = await self._identified(connection, knock)
            client.admitted(knock, bearer, rights)
        except RouterError as error:
            client.turned_away(refusal_of(error))
        except PacketError as error:
            client.turned_away(error)
        except Exception:  # noqa: BLE001 - the boundary: nothing may leave a client waiting
            client.fail()
        finally:
            del self._tasks[key]

    async def _identified(
        self, connection: Connection, knock: Knock
    ) -> tuple[Bearer | None, TopicRights]:
        bearer = None
        if knock.has_credentials and self._doorkeeper is not None:
            bearer = await self._doorkeeper.admit(connection, knock.username, knock.password)
        if self._topics is None or not self.sessions.terms.checks_rights:
            return bearer, EVERY_TOPIC if self.sessions.terms.allow_pub_sub else NO_TOPICS
        known = msgspec.structs.replace(connection, bearer=bearer, client_id=knock.client_id)
        return bearer, await self._topics.of_connection(known)

    async def _store(self, connection: MqttConnection, job: Storing) -> None:
        reason = job.reason
        try:
            try:
                await job.stored
            except RouterError:
                reason = Reason.UNSPECIFIED_ERROR
            connection.stored(job, reason)
        except Exception:  # noqa: BLE001 - the boundary: nothing may leave a client waiting
            connection.fail()
        finally:
            del self._tasks[job]

    async def _serve(self, connection: MqttConnection, job: Job) -> None:
        try:
            connection.answered(job, await self._answer(connection, job.request))
        except Exception:  # noqa: BLE001 - the boundary: nothing may leave a client waiting
            connection.fail(job.request.request_id)
        finally:
            del self._tasks[job]

    async def _answer(self, connection: MqttConnection, request: Request) -> Response:
        if not self._is_within_rate(connection.id):
            self.refused(RATE_EXCEEDED)
            error = TooSoonError(RATE_EXCEEDED, retry_after_s=1)
            return refusal(error, request_id=request.request_id)
        return await self._router.dispatch(request)

    def _is_within_rate(self, id: str) -> bool:
        return not self._rate_limit or self._rates.spend(id, self._rate_limit)

    async def _carry_out(self, key: object, request: Request) -> None:
        try:
            await self._router.dispatch(request)
        finally:
            del self._tasks[key]

    async def _finish(self, deadline: float) -> None:
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, deadline - self._loop.time()))

    async def _close(self) -> None:
        for connection in list(self._connections):
            connection.end(Reason.SERVER_SHUTTING_DOWN, "the router is stopping")
        if self._connections:
            self._none_left.clear()
            # Each drops itself after LINGER_S; the wait is bounded all the same.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), LINGER_S + 1)

    async def _cancel(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
