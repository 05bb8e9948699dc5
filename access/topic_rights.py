"""What a client may do with topics, told at once and with the rights of now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from access.directory import Account, Directory
from access.rights import Rights
from access.sessions import Session
from access.tokens import system_ms
from access.topic_filters import Asker, Verb
from access.watched import Watched
from router import topics
from router.envelope import ANONYMOUS, Connection
from router.errors import RouterError
from router.rates import Rates, payer

_REMEMBERED: Final = 1_000
"""Topics that a client's answers are remembered of; devices publish on few."""

_LONGEST: Final = 1_024
"""Characters of a topic that is remembered: a thousand of the longest take 64 MB."""

Answers = dict[tuple[Verb, str], bool]


def _always(_: object) -> bool:
    return True


class ClientTopics:
    """A `router.ports.TopicRights`.

    Args:
        may_act: Whether the client's credentials are still good.
        spend: Counts a message of the client, given how many there may be in a second; False for
            one too many.
    """

    __slots__ = ("_answers", "_asker", "_filters", "_may_act", "_rights", "_spend", "_watched")

    def __init__(
        self,
        watched: Watched[Account | None],
        asker: Asker,
        may_act: Callable[[Rights], bool],
        spend: Callable[[int], bool] = _always,
    ) -> None:
        self._spend = spend
        self._watched = watched
        self._asker = asker
        self._may_act = may_act
        self._rights: Rights | None = None
        self._filters: dict[Verb, tuple[str, ...]] = {}
        self._answers: Answers = {}

    def may_publish(self, topic: str) -> bool:
        """See `router.ports.TopicRights`."""
        return self._may("publish", topic)

    def may_subscribe(self, topic_filter: str) -> bool:
        """See `router.ports.TopicRights`."""
        return self._may("subscribe", topic_filter)

    def may_send(self) -> bool:
        """See `router.ports.TopicRights`."""
        account = self._watched.account
        limit = 0 if account is None else account.message_rate_limit
        return not limit or self._spend(limit)

    def while_away(self) -> ClientTopics:
        """See `router.ports.TopicRights`."""
        return ClientTopics(self._watched, self._asker, _always, self._spend)

    def _may(self, verb: Verb, topic: str) -> bool:
        account = self._watched.account
        if account is None or not self._may_act(account.rights):
            return False
        if account.rights is not self._rights:
            self._rights = account.rights
            self._filters = {}
            self._answers = {}
        found = self._answers.get((verb, topic))
        return self._learn(account.rights, verb, topic) if found is None else found

    def _learn(self, rights: Rights, verb: Verb, topic: str) -> bool:
        if verb not in self._filters:
            self._filters[verb] = rights.topics(verb, self._asker)
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        answer = any(topics.covers(each, topic) for each in self._filters[verb])
        if len(topic) <= _LONGEST:
            self._answers[verb, topic] = answer
        return answer


class TopicDoor:
    """A `router.ports.TopicAuthority`: a client is who its CONNECT says it is.

    Args:
        clock: ms since 1970.
        rates: Counts the messages of users, those of each user together.
    """

    def __init__(
        self,
        directory: Directory,
        clock: Callable[[], float] = system_ms,
        *,
        rates: Rates | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._rates = Rates() if rates is None else rates

    async def of_connection(self, connection: Connection) -> ClientTopics:
        """See `router.ports.TopicAuthority`."""
        session = connection.bearer
        if isinstance(session, Session):
            return await self._of(session.kuid, connection, lambda _: self._is_good(session))
        if connection.certified:
            return await self._of(connection.certified, connection, _always)
        # As long as anybody may do everything, only those of this machine are meant.
        return await self._of(
            ANONYMOUS.id,
            connection,
            lambda rights: not rights.is_everything or connection.is_local(),
        )

    async def of_user(self, kuid: str, client_id: str) -> ClientTopics:
        """See `router.ports.TopicAuthority`."""
        watched = await self._directory.watch(kuid or ANONYMOUS.id)
        return ClientTopics(watched, Asker(kuid or ANONYMOUS.id, client_id), _always)

    async def _of(
        self, kuid: str, connection: Connection, may_act: Callable[[Rights], bool]
    ) -> ClientTopics:
        watched = await self._directory.watch(kuid)
        spend = partial(self._rates.spend, payer(kuid, connection.address))
        return ClientTopics(watched, Asker(kuid, connection.client_id), may_act, spend)

    def _is_good(self, session: Session) -> bool:
        try:
            session.check(self._clock())
        except RouterError:
            return False
        return True
