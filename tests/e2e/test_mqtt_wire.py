"""The MQTT listener on real sockets: how connections live, what hostile ones get, how they end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Will,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import Reason
from protocols.crowd import Crowd
from protocols.mqtt import MqttListener
from router.connections import Connections
from router.envelope import Request, Response
from router.settings import LimitSettings, MqttSettings, Settings
from tests.support.mqtt_wire import (
    BOUND_S,
    HOLD,
    NOW,
    bounded,
    client,
    listening,
    raw,
    until,
)
from tests.support.small_router import CountingObserver
from trivium.assembly import make_broker

EVERY_LOOP = True
BOTH = [V3_1_1, V5]
RECORD = b'{"controller":"test","action":"record","n":1}'
WILL = Will(topic="Kuzzle/request", payload=RECORD)


class TestRequests:
    @pytest.mark.parametrize("version", BOTH)
    async def test_a_request_is_answered_then_acknowledged(self, version: int) -> None:
        async with listening() as served, client(served.port, version) as device:
            await device.ask({**NOW, "requestId": "r1"}, qos=1, packet_id=7)
            answer = await device.answer()
            assert (answer["status"], answer["requestId"]) == (200, "r1")
            assert answer["result"]["now"] > 0
            assert await device.receive() == Puback(packet_id=7)

    @pytest.mark.parametrize("version", BOTH)
    @pytest.mark.parametrize("at_once", [1_000, 7])
    async def test_what_came_before_the_client_hung_up_is_done(
        self, version: int, at_once: int
    ) -> None:
        # Nothing but QoS 0, and gone: the answers that nobody reads reset the connection.
        limits = LimitSettings(requests_per_connection=at_once)
        async with listening(Settings(limits=limits)) as served:
            async with raw(served.port, version) as device:
                requests = [
                    Publish(topic="Kuzzle/request", payload=RECORD.replace(b"1", b"%d" % number))
                    for number in range(500)
                ]
                hello = Connect(client_id="client-1", version=version, will=WILL)
                await device.send(hello, *requests, Disconnect())
            # Once it is seen to be gone, its next connection takes nothing over.
            await until(lambda: served.recorded and not len(served.listener.sessions))
            async with client(served.port, version):
                await until(lambda: len(served.recorded) == 500)
            await until(lambda: served.listener.connections == 0)
            # In order, and no will: its DISCONNECT was among what came.
            assert [request.args["n"] for request in served.recorded] == list(range(500))

    @pytest.mark.parametrize("version", BOTH)
    async def test_everything_in_one_segment_is_worked_off_in_order(self, version: int) -> None:
        async with listening() as served, raw(served.port, version) as device:
            requests = [
                Publish(topic="Kuzzle/request", payload=RECORD.replace(b"1", b"%d" % number))
                for number in range(50)
            ]
            await device.send(Connect(client_id="a", version=version), *requests, Pingreq())
            await until(lambda: len(served.recorded) == 50)
            assert [request.args["n"] for request in served.recorded] == list(range(50))

    async def test_a_request_in_single_bytes_is_a_request(self) -> None:
        async with listening() as served, client(served.port) as device:
            for byte in encode(Publish(topic="Kuzzle/request", payload=RECORD), V5):
                await device.send_bytes(bytes((byte,)))
            assert (await device.answer())["status"] == 200

    async def test_a_fault_in_an_action_is_an_answer(self) -> None:
        async with listening() as served, client(served.port) as device:
            await device.ask({"controller": "test", "action": "fault"})
            assert (await device.answer())["error"]["id"] == "plugin.runtime.unexpected_error"

    async def test_a_request_runs_although_its_client_has_left(self) -> None:
        async with listening() as served, raw(served.port) as device:
            await device.send(
                Connect(client_id="a"),
                Publish(topic="Kuzzle/request", payload=RECORD),
                Disconnect(),
            )
            assert await device.receive() is not None
            await until(lambda: served.recorded)

    async def test_many_clients_do_not_get_each_others_answers(self) -> None:
        async with listening() as served:

            async def ask(number: int) -> None:
                async with client(served.port, client_id=f"c{number}") as device:
                    for turn in range(5):
                        await device.ask({**NOW, "requestId": f"{number}-{turn}"})
                        assert (await device.answer())["requestId"] == f"{number}-{turn}"

            await bounded(asyncio.gather(*(ask(number) for number in range(20))))
            await until(lambda: served.listener.connections == 0)
            assert (served.observer.open, served.observer.opened_in_all) == (0, 20)


class TestLimits:
    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, 3), (V5, Reason.QUOTA_EXCEEDED)])
    async def test_one_connection_too_many_is_told_so(self, version: int, reason: int) -> None:
        settings = Settings(limits=LimitSettings(connections=1))
        async with listening(settings) as served, client(served.port) as first:
            async with raw(served.port, version) as second:
                await second.send(Connect(client_id="b", version=version))
                connack = await second.receive()
                assert isinstance(connack, Connack)
                assert connack.reason == reason
                assert await second.receive() is None
            await until(lambda: served.listener.connections == 1)
            await first.ask(NOW)
            assert (await first.answer())["status"] == 200

    async def test_connections_far_above_the_limit_are_dropped(self) -> None:
        settings = Settings(limits=LimitSettings(connections=1))
        async with listening(settings) as served:
            opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(70)]
            await until(lambda: "connections" in served.observer.reasons)
            await until(lambda: served.listener.connections <= 65)
            for _, writer in opened:
                writer.transport.abort()

    async def test_a_client_with_too_much_at_work_is_not_read(self) -> None:
        settings = Settings(limits=LimitSettings(requests_per_connection=2))
        async with listening(settings) as served, client(served.port, V3_1_1) as device:
            for _ in range(2):
                await device.ask(HOLD)
            await bounded(served.gate.reached.wait())
            for _ in range(200):
                await device.send(Publish(topic="Kuzzle/request", payload=RECORD))
            async with client(served.port, client_id="other") as other:
                await other.ask(NOW)
                assert (await other.answer())["status"] == 200
            assert not served.recorded
            served.gate.opened.set()
            await until(lambda: len(served.recorded) == 200)
            for _ in range(202):
                assert (await device.answer())["status"] == 200

    async def test_a_packet_too_large_is_told_before_its_end(self) -> None:
        settings = Settings(mqtt=MqttSettings(max_packet_bytes=2_048))
        async with listening(settings) as served, client(served.port) as device:
            await device.send_bytes(b"\x30\xff\xff\x7f" + b"x" * 100_000)
            assert await device.goodbye() == Reason.PACKET_TOO_LARGE

    @pytest.mark.parametrize("version", BOTH)
    async def test_a_slow_reader_is_cut_off(self, version: int) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
        async with listening(settings) as served, client(served.port, version) as device:
            for _ in range(100):
                await device.ask({"controller": "test", "action": "large", "size": 200_000})
            await until(lambda: served.listener.connections == 0)
            assert "quota_exceeded" in served.observer.reasons

    async def test_a_client_that_never_acknowledges_is_cut_off(self) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096, receive_maximum=1_000))
        async with listening(settings) as served:
            small = {"controller": "test", "action": "large", "size": 2_000}
            async with client(served.port, properties=Properties(receive_maximum=1)) as device:
                for packet_id in range(1, 51):
                    await device.ask(small, qos=1, packet_id=packet_id)
                kinds = {Publish: 0, Puback: 0}
                while type(packet := await device.receive()) in kinds:
                    kinds[type(packet)] += 1
                assert isinstance(packet, Disconnect)
                assert packet.reason == Reason.QUOTA_EXCEEDED
                assert kinds[Publish] == 1
                assert kinds[Puback] < 50

    async def test_a_fast_reader_may_have_large_answers(self) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
        async with listening(settings) as served, client(served.port) as device:
            for _ in range(5):
                await device.ask({"controller": "test", "action": "large", "size": 2_000_000})
                assert len((await device.answer())["result"]["text"]) == 2_000_000

    async def test_a_long_answer_may_be_read_slowly(self) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
        size = 12_000_000
        async with listening(settings) as served, client(served.port, V3_1_1) as device:
            await device.ask({"controller": "test", "action": "large", "size": size})
            received = 0
            while received < size:
                # As a slow line would: five megabytes a second.
                await asyncio.sleep(0.05)
                chunk = await bounded(device.reader.read(250_000))
                assert chunk, f"cut off after {received} bytes"
                received += len(chunk)
            assert served.observer.reasons == []


class TestTime:
    async def test_a_connection_without_connect_is_closed(self) -> None:
        settings = Settings(mqtt=MqttSettings(connect_timeout_s=0.1))
        async with listening(settings) as served, raw(served.port) as device:
            await device.send_bytes(b"\x10")
            assert await device.receive() is None
            assert served.observer.reasons == ["connect_timeout"]

    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, None), (V5, 0x8D)])
    async def test_silence_ends_the_connection(self, version: int, reason: int | None) -> None:
        async with listening() as served, client(served.port, version, keep_alive_s=1) as device:
            await device.send(Pingreq())
            assert await device.receive() == Pingresp()
            assert await device.goodbye() == reason

    async def test_a_packet_that_does_not_end_is_closed(self) -> None:
        settings = Settings(mqtt=MqttSettings(packet_timeout_s=0.1))
        async with listening(settings) as served, client(served.port) as device:
            await device.send_bytes(b"\x30\x7f\x00")
            assert await device.goodbye() == Reason.IMPLEMENTATION_SPECIFIC_ERROR


class TestHostile:
    @pytest.mark.parametrize(
        "stream",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\x10\xff\xff\xff\xff\xff",
            b"\x00" * 64,
            b"\xff" * 64,
        ],
    )
    async def test_what_is_not_mqtt_is_hung_up_on(self, stream: bytes) -> None:
        async with listening() as served, raw(served.port) as device:
            await device.send_bytes(stream)
            assert await device.receive() is None

    async def test_others_do_not_notice_a_packet_cut_anywhere(self) -> None:
        packet = encode(Publish(topic="Kuzzle/request", payload=RECORD, qos=1, packet_id=1), V5)
        async with listening() as served, client(served.port, client_id="other") as other:
            for length in range(len(packet)):
                async with client(served.port, client_id="cut") as device:
                    await device.send_bytes(packet[:length])
                    device.reset()
                await other.ask(NOW)
                assert (await other.answer())["status"] == 200
            await until(lambda: served.listener.connections == 1)
            assert not served.recorded

    async def test_a_wrong_length_ends_the_connection(self) -> None:
        async with listening() as served, client(served.port) as device:
            await device.send_bytes(b"\x30\x05\x00\x0eKuzzle/request{}")
            assert await device.goodbye() == Reason.MALFORMED_PACKET

    async def test_a_flood_of_small_packets_does_not_hold_others_up(self) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=2**27))
        async with (
            listening(settings) as served,
            client(served.port, V3_1_1) as device,
            client(served.port, client_id="other") as other,
        ):
            count = 10_000
            flood = Publish(topic="Kuzzle/request", payload=b"{")
            sent = asyncio.create_task(device.send_bytes(encode(flood, V3_1_1) * count))
            await until(lambda: served.observer.reasons)
            for _ in range(3):
                await other.send(Pingreq())
                assert await other.receive() == Pingresp()
            assert len(served.observer.reasons) < count / 4
            for _ in range(count):
                assert isinstance(await device.receive(), Publish)
            await sent

    async def test_a_reset_connection_leaves_nothing_behind(self) -> None:
        async with listening() as served:
            async with client(served.port) as device:
                await device.ask(HOLD, qos=1, packet_id=1)
                await bounded(served.gate.reached.wait())
                device.reset()
            await until(lambda: served.listener.connections == 0)
            served.gate.opened.set()


class BrokenRouter:
    """Breaks the promise that dispatching never raises."""

    async def dispatch(self, request: Request) -> Response:
        raise ZeroDivisionError("made for the test")


class TestTelling:
    async def test_each_connection_logs_its_first_refusal(self) -> None:
        with capture_logs() as lines:
            async with listening() as served, client(served.port, V3_1_1) as device:
                for packet_id in (1, 2):
                    message = Publish(topic="x", payload=b"", qos=1, packet_id=packet_id)
                    await device.send(message)
                    assert await device.receive() == Puback(packet_id=packet_id)
                assert served.observer.reasons == ["topic", "topic"]
        (line,) = [line for line in lines if line["event"] == "refused"]
        assert (line["reason"], line["client_id"], line["wire"]) == ("topic", "client-1", "mqtt")
        assert line["address"] == "127.0.0.1"


class TestFaults:
    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, None), (V5, 0x83)])
    async def test_a_fault_of_ours_ends_the_connection(
        self, version: int, reason: int | None
    ) -> None:
        async with (
            listening(router=BrokenRouter()) as served,
            client(served.port, version) as device,
        ):
            await device.ask(NOW, qos=1, packet_id=1)
            assert await device.goodbye() == reason


class TestTakeOver:
    @pytest.mark.parametrize(("version", "reason"), [(V3_1_1, None), (V5, 0x8E)])
    async def test_the_older_connection_gives_way(self, version: int, reason: int | None) -> None:
        async with listening() as served, client(served.port, version) as older:
            async with client(served.port) as newer:
                assert await older.goodbye() == reason
                await older.close()
                await until(lambda: served.listener.connections == 1)
                await newer.ask(NOW)
                assert (await newer.answer())["status"] == 200
            # The name is free again, and was not freed by the older connection's end.
            async with client(served.port) as third:
                await third.send(Pingreq())
                assert await third.receive() == Pingresp()

    async def test_the_will_of_the_older_connection_is_carried_out(self) -> None:
        async with (
            listening() as served,
            client(served.port, will=WILL) as older,
            client(served.port),
        ):
            assert await older.goodbye() == Reason.SESSION_TAKEN_OVER
            await older.close()
            await until(lambda: served.recorded)

    @pytest.mark.parametrize("version", BOTH)
    async def test_that_will_comes_before_what_the_newer_one_asks(self, version: int) -> None:
        # A device behind a dead line comes back: "offline" must not be written after "online".
        async with (
            listening() as served,
            client(served.port, version, will=WILL),
            raw(served.port, version) as newer,
        ):
            online = Publish(topic="Kuzzle/request", payload=RECORD.replace(b"1", b"2"))
            await newer.send(Connect(client_id="client-1", version=version), online)
            await until(lambda: len(served.recorded) == 2)
            assert [request.args["n"] for request in served.recorded] == [1, 2]


class TestWills:
    @pytest.mark.parametrize("version", BOTH)
    async def test_a_lost_connection_has_its_will_dispatched(self, version: int) -> None:
        async with listening() as served:
            async with client(served.port, version, will=WILL) as device:
                device.reset()
            (request,) = await until(lambda: served.recorded)
            assert request.connection.client_id == "client-1"

    @pytest.mark.parametrize("version", BOTH)
    async def test_an_error_of_the_client_has_its_will_dispatched(self, version: int) -> None:
        async with listening() as served:
            async with client(served.port, version, will=WILL) as device:
                await device.send(Connect(client_id="again", version=version))
            await until(lambda: served.recorded)

    @pytest.mark.parametrize("version", BOTH)
    async def test_a_disconnect_takes_the_will_back(self, version: int) -> None:
        async with listening() as served:
            async with client(served.port, version, will=WILL) as device:
                await device.send(Disconnect())
                assert await device.receive() is None
            await until(lambda: served.listener.connections == 0)
            async with client(served.port, version) as device:
                await device.ask(NOW)
                await device.answer()
            assert not served.recorded


class TestStopping:
    async def test_what_was_let_in_is_finished(self) -> None:
        async with listening() as served, client(served.port) as device:
            await device.ask(HOLD, qos=1, packet_id=1)
            await bounded(served.gate.reached.wait())
            stopping = asyncio.create_task(served.listener.stop(BOUND_S))
            await asyncio.sleep(0)
            await device.ask(NOW)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", served.port)
            served.gate.opened.set()
            assert (await device.answer())["result"] == {"held": True}
            assert await device.receive() == Puback(packet_id=1)
            assert await device.goodbye() == Reason.SERVER_SHUTTING_DOWN
            await device.close()
            await bounded(stopping)
            assert served.listener.connections == 0

    async def test_what_does_not_end_is_cancelled(self) -> None:
        async with listening() as served, client(served.port, V3_1_1) as device:
            await device.ask(HOLD, qos=1, packet_id=1)
            await bounded(served.gate.reached.wait())
            stopping = asyncio.create_task(served.listener.stop(0.05))
            assert await device.goodbye() is None
            await device.close()
            await bounded(stopping)

    async def test_a_client_that_does_not_hang_up_is_dropped(self) -> None:
        async with listening() as served, client(served.port) as device:
            await bounded(served.listener.stop(0.05))
            assert served.listener.connections == 0
            assert await device.goodbye() == Reason.SERVER_SHUTTING_DOWN

    async def test_wills_are_carried_out_when_the_router_stops(self) -> None:
        async with listening() as served, client(served.port, will=WILL) as device:
            stopping = asyncio.create_task(served.listener.stop(BOUND_S))
            assert await device.goodbye() == Reason.SERVER_SHUTTING_DOWN
            await device.close()
            await bounded(stopping)
            assert len(served.recorded) == 1

    async def test_a_listener_that_never_started_stops_at_once(self) -> None:
        router, settings = BrokenRouter(), Settings()
        listener = MqttListener(
            router,
            settings,
            observer=CountingObserver(),
            connections=Connections(),
            crowd=Crowd(0),
            node="n",
            broker=make_broker(settings),
        )
        await bounded(listener.stop(BOUND_S))
        assert listener.connections == 0

    async def test_an_address_in_use_is_an_error(self) -> None:
        async with listening() as first, listening() as second:
            with pytest.raises(OSError, match="in use"):
                await second.listener.start("127.0.0.1", first.port)
