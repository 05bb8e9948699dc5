"""Sessions that outlive their connections. Sections 3.1.2.4, 3.1.2.11.2, 4.1, 4.4."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import msgspec
import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Will,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.terms import Terms
from router.connections import Connections, Notification
from router.settings import MqttSessionSettings
from tests.support.mqtt_client import BOTH, REQUEST, RESPONSE, TERMS, Client, broker, summary

WILL = Will(topic=REQUEST, payload=b'{"controller":"server","action":"now"}')
TOPIC = "a/b"


@dataclass(frozen=True)
class User:
    """A `router.envelope.Bearer`."""

    kuid: str


@dataclass
class House:
    """Sessions under a clock that stands until told."""

    terms: Terms = TERMS
    now: float = 1_000_000.0
    connections: Connections = field(default_factory=Connections)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.terms, broker(), self.connections, lambda: self.now)

    def come(
        self,
        version: int = V5,
        *,
        client_id: str = "client-1",
        user: str = "",
        clean: bool = False,
        expiry_s: int = 100,
        will: Will | None = None,
        receive_maximum: int | None = None,
    ) -> Comer:
        """Connect a client."""
        bearer = User(user) if user else None
        client = Comer(version, terms=self.terms, sessions=self.sessions, bearer=bearer)
        self.connections.opened(client.session.connection.id, Present(client))
        properties = NO_PROPERTIES
        if version == V5:
            properties = Properties(
                session_expiry_interval=expiry_s or None, receive_maximum=receive_maximum
            )
        hello = Connect(
            client_id=client_id,
            version=version,
            clean_start=clean,
            will=will,
            properties=properties,
        )
        connack, *client.after = client.send(hello)
        assert isinstance(connack, Connack)
        client.connack = connack
        return client

    def pass_s(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        self.sessions.look()

    def tell(self, client: Client, number: int) -> None:
        """Notify a client, here or away."""
        content = {"type": "document", "n": number}
        self.connections.notify(client.session.connection.id, Notification(TOPIC, content))


class Present:
    """A client that is here, as a `router.connections.Sink`."""

    def __init__(self, client: Client) -> None:
        self._session = client.session

    def notify(self, notification: Notification) -> None:
        self._session.notify(notification)

    def expel(self, reason: str) -> None:
        self._session.end(Reason.NOT_AUTHORIZED, reason)
        self._session.wake()


class Comer(Client):
    """A client, its CONNACK and what came with it."""

    connack: Connack
    after: list[Packet]

    def subscribe(self, qos: int = 1) -> None:
        asked = (Subscription(topic_filter=TOPIC, qos=qos),)
        (suback,) = self.send(Subscribe(packet_id=9, subscriptions=asked))
        assert getattr(suback, "reasons", ()) == (qos,)

    def go(self, *, expiry_s: int | None = None) -> None:
        """Disconnect."""
        properties = NO_PROPERTIES
        if expiry_s is not None:
            properties = Properties(session_expiry_interval=expiry_s)
        self.send(Disconnect(properties=properties))
        self.session.lost()


def numbers(packets: list[Packet]) -> list[int]:
    """What the messages among the packets were told with."""
    return [json.loads(each.payload)["n"] for each in packets if isinstance(each, Publish)]


def kept(**changes: object) -> Terms:
    """The terms with other settings for sessions."""
    return msgspec.structs.replace(TERMS, kept=MqttSessionSettings(**changes))  # type: ignore[arg-type]


class TestPresence:
    @pytest.mark.parametrize("version", BOTH)
    def test_a_session_goes_on(self, version: int) -> None:
        house = House()
        first = house.come(version)
        assert not first.connack.session_present
        first.go()
        again = house.come(version)
        assert again.connack.session_present
        assert again.session.connection.id == first.session.connection.id

    @pytest.mark.parametrize("version", BOTH)
    def test_a_clean_start_ends_it(self, version: int) -> None:
        house = House()
        first = house.come(version)
        first.subscribe()
        first.go()
        house.tell(first, 1)
        clean = house.come(version, clean=True)
        assert not clean.connack.session_present
        assert clean.after == []
        assert clean.session.connection.id != first.session.connection.id
        clean.go()
        house.pass_s(0)
        assert house.sessions.kept == (version == V5)

    def test_without_an_expiry_it_ends_with_the_connection(self) -> None:
        house = House()
        house.come(expiry_s=0).lose()
        assert not house.come().connack.session_present

    def test_who_hangs_up_before_it_is_let_in_leaves_the_session_as_it_was(self) -> None:
        house = House()
        first = house.come()
        first.subscribe()
        first.go()
        # Its credentials took a moment: the connection is gone by the time that it is let in.
        gone = Client(V5, terms=TERMS, sessions=house.sessions)
        properties = Properties(session_expiry_interval=100)
        gone.send(Connect(client_id="client-1", clean_start=False, properties=properties))
        house.tell(first, 1)
        gone.lose()
        house.tell(first, 2)
        assert numbers(house.come().after) == [1, 2]

    def test_one_that_comes_and_goes_often_leaves_nothing_behind(self) -> None:
        house = House()
        for _ in range(1_000):
            house.come(will=delayed(10)).lose()
        assert len(house.sessions._due) < 1_100
        wills = listen(house)
        house.pass_s(11)
        assert len(wills) == 1
        house.pass_s(100)
        assert house.sessions.kept == 0

    def test_it_may_be_given_up_when_it_is_resumed(self) -> None:
        house = House()
        house.come().go()
        last = house.come(expiry_s=0)
        assert last.connack.session_present
        last.lose()
        assert (len(house.sessions), house.sessions.kept, len(house.connections)) == (0, 0, 0)

    @pytest.mark.parametrize("version", BOTH)
    def test_it_ends_when_its_time_is_over(self, version: int) -> None:
        house = House(kept(clean_session_0_s=100))
        house.come(version).go()
        house.pass_s(99)
        assert house.sessions.kept == 1
        house.come(version).go()
        house.pass_s(99)
        assert house.sessions.kept == 1
        house.pass_s(2)
        assert (house.sessions.kept, len(house.connections)) == (0, 0)
        assert not house.come(version).connack.session_present

    def test_a_disconnect_may_change_its_time(self) -> None:
        house = House()
        house.come().go(expiry_s=10)
        house.pass_s(11)
        assert house.sessions.kept == 0
        house.come().go(expiry_s=0)
        assert house.sessions.kept == 0

    def test_the_setting_bounds_it_and_the_client_is_told(self) -> None:
        house = House(kept(most_s=50))
        client = house.come(expiry_s=2**32 - 1)
        assert client.connack.properties.session_expiry_interval == 50
        client.go(expiry_s=1_000)
        house.pass_s(51)
        assert house.sessions.kept == 0

    def test_what_was_asked_for_is_not_repeated(self) -> None:
        assert House().come(expiry_s=60).connack.properties.session_expiry_interval is None

    @pytest.mark.parametrize("version", BOTH)
    def test_0_keeps_none(self, version: int) -> None:
        house = House(kept(most_s=0))
        house.come(version).go()
        assert not house.come(version).connack.session_present


class TestTakingOver:
    @pytest.mark.parametrize("version", BOTH)
    def test_the_older_connection_gives_way_and_its_session_goes_on(self, version: int) -> None:
        house = House()
        older = house.come(version)
        newer = house.come(version)
        expected = ["Disconnect 0x8E"] if version == V5 else []
        assert summary(older.received()) == expected
        # Here the socket's side lets go of the session later than the newer one came.
        older.session.lost()
        assert newer.connack.session_present is (version == V5 or older.session.is_ended)
        assert not newer.session.is_ended
        newer.subscribe()
        house.tell(newer, 1)
        assert numbers(newer.received()) == [1]

    def test_another_users_session_is_out_of_reach(self) -> None:
        house = House()
        mine = house.come(user="mine")
        mine.subscribe()
        mine.go()
        house.tell(mine, 1)
        theirs = house.come(user="theirs", clean=True)
        assert not theirs.connack.session_present
        nobodys = house.come()
        assert not nobodys.connack.session_present
        again = house.come(user="mine")
        assert again.connack.session_present
        assert numbers(again.after) == [1]
        assert not theirs.session.is_ended
        assert not nobodys.session.is_ended


class TestQueue:
    @pytest.mark.parametrize("version", BOTH)
    def test_what_came_meanwhile_is_sent_in_order(self, version: int) -> None:
        house = House()
        client = house.come(version)
        client.subscribe()
        client.go()
        for number in range(3):
            house.tell(client, number)
        assert numbers(house.come(version).after) == [0, 1, 2]

    def test_qos_0_is_not_kept(self) -> None:
        house = House()
        client = house.come()
        client.subscribe(qos=0)
        client.go()
        house.tell(client, 1)
        assert house.come().after == []

    @pytest.mark.parametrize("version", BOTH)
    def test_what_is_unacknowledged_comes_again(self, version: int) -> None:
        house = House()
        client = house.come(version)
        client.subscribe()
        for number in range(3):
            house.tell(client, number)
        first = [each for each in client.received() if isinstance(each, Publish)]
        client.send(Puback(packet_id=first[1].packet_id))
        client.lose()
        again = [each for each in house.come(version).after if isinstance(each, Publish)]
        assert [each.packet_id for each in again] == [first[0].packet_id, first[2].packet_id]
        assert all(each.dup for each in again)
        assert not any(each.dup for each in first)

    def test_the_clients_receive_maximum_counts_anew(self) -> None:
        house = House()
        client = house.come(receive_maximum=2)
        client.subscribe()
        for number in range(5):
            house.tell(client, number)
        assert numbers(client.received()) == [0, 1]
        client.lose()
        again = house.come(receive_maximum=3)
        sent = [each for each in again.after if isinstance(each, Publish)]
        assert [(json.loads(each.payload)["n"], each.dup) for each in sent] == [
            (0, True),
            (1, True),
            (2, False),
        ]
        assert numbers(again.send(Puback(packet_id=sent[0].packet_id))) == [3]

    @pytest.mark.parametrize(
        ("when_full", "left"), [("drop_oldest", [2, 3, 4]), ("drop_newest", [0, 1, 2])]
    )
    def test_a_full_queue_loses_what_the_setting_says(
        self, when_full: str, left: list[int]
    ) -> None:
        house = House(kept(queue_messages=3, when_full=when_full))
        client = house.come()
        client.subscribe()
        client.go()
        for number in range(5):
            house.tell(client, number)
        assert numbers(house.come().after) == left

    def test_bytes_are_bounded_too_and_given_back(self) -> None:
        house = House(kept(queue_bytes=2_000))
        client = house.come()
        client.subscribe()
        client.go()
        for number in range(100):
            house.tell(client, number)
            assert house.sessions.queued_bytes <= 2_000
        again = house.come()
        assert 0 < len(again.after) < 10
        for each in again.after:
            assert isinstance(each, Publish)
            again.send(Puback(packet_id=each.packet_id))
        assert house.sessions.queued_bytes == 0

    def test_a_session_that_ends_gives_its_bytes_back(self) -> None:
        house = House()
        client = house.come()
        client.subscribe()
        client.go()
        house.tell(client, 1)
        assert house.sessions.queued_bytes
        house.pass_s(1_000)
        assert house.sessions.queued_bytes == 0

    def test_an_answer_is_kept_for_the_client_alone_that_asked_without_a_token(self) -> None:
        house = House()
        client = house.come()
        asked = {"controller": "server", "action": "now"}
        client.ask(asked, qos=1, packet_id=1)
        client.ask({**asked, "jwt": "somebody's"}, qos=1, packet_id=2)
        client.lose()
        for result in ("open", "secret"):
            client.answer(result=result)
        (answer,) = house.come().after
        assert isinstance(answer, Publish)
        assert answer.topic == RESPONSE
        assert json.loads(answer.payload)["result"] == "open"

    def test_an_old_message_tells_what_is_left_of_its_time(self) -> None:
        house = House()
        client = house.come()
        client.go()
        for interval in (5, 50):
            expiring = Properties(message_expiry_interval=interval)
            message = Publish(topic=TOPIC, payload=b"{}", qos=1, properties=expiring)
            client.session._state.deliver(message)
        house.pass_s(10)
        (message,) = [each for each in house.come().after if isinstance(each, Publish)]
        assert message.properties.message_expiry_interval == 40
        assert house.sessions.queued_bytes < 1_000


class TestQos2:
    def test_a_message_is_sent_and_released_once(self) -> None:
        house = House()
        client = house.come()
        client.session._state.deliver(Publish(topic=TOPIC, payload=b"{}", qos=2))
        (first,) = client.received()
        assert isinstance(first, Publish)
        client.lose()
        again = house.come()
        (second,) = again.after
        assert second == msgspec.structs.replace(first, dup=True)
        assert again.send(Pubrec(packet_id=first.packet_id)) == [Pubrel(packet_id=first.packet_id)]
        again.lose()
        third = house.come()
        assert third.after == [Pubrel(packet_id=first.packet_id)]

    @pytest.mark.parametrize("version", BOTH)
    def test_a_request_runs_once_over_a_lost_connection(self, version: int) -> None:
        house = House()
        client = house.come(version)
        client.ask(qos=2, packet_id=5)
        client.lose()
        again = house.come(version)
        assert again.ask(qos=2, packet_id=5, dup=True) == []
        assert not again.jobs
        client.answer()
        assert "Pubrec 5 0x00" in summary(again.received())
        again.lose()
        third = house.come(version)
        assert summary(third.ask(qos=2, packet_id=5, dup=True)) == ["Pubrec 5 0x00"]
        assert not third.jobs
        assert summary(third.send(Pubrel(packet_id=5))) == ["Pubcomp 5 0x00"]
        third.ask(qos=2, packet_id=5)
        assert len(third.jobs) == 1

    def test_the_receive_maximum_counts_anew(self) -> None:
        house = House()
        client = house.come()
        for packet_id in range(1, 5):
            client.ask(qos=2, packet_id=packet_id)
            client.answer()
        client.lose()
        again = house.come()
        for packet_id in range(11, 15):
            again.ask(qos=2, packet_id=packet_id)
        assert not again.session.is_ended
        assert summary(again.ask(qos=2, packet_id=15)) == ["Disconnect 0x93"]


class TestWills:
    def test_a_will_waits_for_its_delay(self) -> None:
        house = House()
        house.come(will=delayed(10)).lose()
        wills = listen(house)
        house.pass_s(9)
        assert wills == []
        house.pass_s(2)
        assert wills == [delayed(10)]
        house.pass_s(200)
        assert wills == [delayed(10)]

    def test_who_comes_back_in_time_takes_it_back(self) -> None:
        house = House()
        house.come(will=delayed(10)).lose()
        house.come().go()
        wills = listen(house)
        house.pass_s(11)
        assert wills == []

    def test_who_takes_over_takes_a_delayed_one_back(self) -> None:
        house = House()
        older = house.come(will=delayed(10))
        older.session.wake = older.session.lost
        wills = listen(house)
        house.come()
        house.pass_s(11)
        assert older.wills == wills == []

    def test_it_is_due_when_the_sessions_time_is_over(self) -> None:
        house = House()
        house.come(will=delayed(10), expiry_s=5).lose()
        wills = listen(house)
        house.pass_s(6)
        assert wills == [delayed(10)]

    def test_it_is_due_when_a_clean_start_ends_the_session(self) -> None:
        house = House()
        house.come(will=delayed(10)).lose()
        assert house.come(clean=True).wills == [delayed(10)]

    def test_without_a_delay_it_comes_at_once_though_the_session_waits(self) -> None:
        client = House().come(will=WILL)
        client.lose()
        assert client.wills == [WILL]


def delayed(seconds: int) -> Will:
    """A will with a delay."""
    return msgspec.structs.replace(WILL, properties=Properties(will_delay_interval=seconds))


def listen(house: House) -> list[Will]:
    """The wills that are carried out from now on."""
    found: list[Will] = []
    house.sessions.on_will = lambda _state, will: found.append(will)
    return found


class TestLimits:
    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 3), (V5, Reason.QUOTA_EXCEEDED)])
    def test_one_session_too_many_is_refused(self, version: int, reason: int) -> None:
        house = House(kept(most=3, most_per_user=2))
        for number in range(2):
            house.come(version, client_id=f"c{number}", user="a").go()
        refused = house.come(version, client_id="c2", user="a")
        assert (refused.connack.reason, refused.session.is_ended) == (reason, True)
        assert house.come(version, client_id="c0", user="a").connack.session_present
        assert house.come(version, client_id="c", user="b").connack.reason == 0
        assert house.come(version, client_id="d", user="b").connack.reason == reason
        passing = house.come(version, client_id="e", user="b", clean=True, expiry_s=0)
        assert passing.connack.reason == 0

    def test_who_is_expelled_while_away_has_no_session_left(self) -> None:
        house = House()
        client = house.come()
        client.go()
        house.connections.revoked(client.session.connection.id, "revoked")
        assert (house.sessions.kept, len(house.connections)) == (0, 0)
        assert not house.come().connack.session_present

    def test_who_is_expelled_while_here_has_no_session_left_either(self) -> None:
        house = House()
        client = house.come()
        house.connections.revoked(client.session.connection.id, "revoked")
        assert summary(client.received()) == ["Disconnect 0x87"]
        assert house.sessions.kept == 0

    def test_who_was_too_slow_may_go_on(self) -> None:
        house = House()
        client = house.come()
        house.connections.expel(client.session.connection.id, "too slow")
        assert client.session.is_ended
        again = house.come()
        assert again.connack.session_present
        again.go()
        house.connections.expel(again.session.connection.id, "too slow")
        assert house.come().connack.session_present
