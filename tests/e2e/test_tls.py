"""TLS on every port: who gets in, who doesn't, and what that costs the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import queue
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import websockets
from cryptography import x509

from access.users import NewUser
from protocols.codec.mqtt.packets import Connack, Connect
from router.envelope import ANONYMOUS, Json, Request
from router.settings import load
from storage.contract import Author
from storage.memory import MemoryStorage
from tests.support.certificates import Issued, TestAuthority
from tests.support.http_house import until
from tests.support.mqtt_wire import RawClient as RawMqtt
from tests.support.mqtt_wire import bounded, run
from tests.support.raw_http import RawClient, get
from trivium import App
from trivium.client import ConnectionFailedError, Protocol, connect, trusting
from trivium.server import Server, StartError, running

EVERY_LOOP = True

HOST = "127.0.0.1"
KNOWN = ("truck-7", "truck-8", "device-truck-7", "truck@example.com")
WHO = {"controller": "test", "action": "who"}


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path)


@contextlib.asynccontextmanager
async def serving(
    authority: TestAuthority, issued: Issued | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """A router with a certificate; `test:who` tells whom the client's certificate names."""
    issued = issued or authority.issue()
    app = App()

    async def who(request: Request) -> Json:
        connection = request.connection
        assert request.user.id == (connection.certified or ANONYMOUS.id)
        return {"certified": connection.certified, "wire": connection.wire}

    async def large(request: Request) -> Json:
        return "x" * 100_000

    app.controller.register("test", {"who": who, "large": large})
    given = {
        "server.port": 0,
        "mqtt.port": 0,
        "mqtt.tls_port": 0,
        "tls.certificate": str(issued.certificate),
        "tls.key": str(issued.key),
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    async with running(app, load(None, {}, given), MemoryStorage()) as server:
        for kuid in KNOWN:
            user = NewUser(kuid, {"profileIds": ["default"]}, {}, Author())
            await server.core.register.users.create(user)
        yield server


def asking_for_clients(authority: TestAuthority, demand: str) -> dict[str, Any]:
    return {"tls__client_certificates": demand, "tls__client_ca": str(authority.file)}


async def ask(server: Server, tls: ssl.SSLContext, path: str = "/_now") -> dict[str, Any]:
    """The answer to one request on a connection of its own."""
    client = await RawClient.connect(server.port, tls=tls)
    try:
        return (await client.ask(get(path))).envelope
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def mqtt(port: int, tls: ssl.SSLContext) -> AsyncIterator[RawMqtt]:
    client = RawMqtt(*await bounded(asyncio.open_connection(HOST, port, ssl=tls)), 4)
    try:
        await client.send(Connect(client_id="tls-1", version=4))
        assert isinstance(await client.receive(), Connack)
        yield client
    finally:
        await client.close()


class Stranger:
    """A TCP connection that doesn't do as it should."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Stranger:
        self.reader, self.writer = await asyncio.open_connection(HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def told(self) -> bytes:
        """What it hears until it is hung up on; that must happen."""
        with contextlib.suppress(ConnectionError):
            return await bounded(self.reader.read())
        return b""


class TestWires:
    async def test_all_three_speak_it(self, authority: TestAuthority) -> None:
        async with serving(authority) as server:
            tls = authority.trusting()
            assert (await ask(server, tls))["status"] == 200
            async with websockets.connect(f"wss://localhost:{server.port}", ssl=tls) as client:
                await client.send(json.dumps(WHO))
                answer = json.loads(await bounded(client.recv()))
                assert answer["result"] == {"certified": "", "wire": "websocket"}
            async with mqtt(server.mqtt_tls_port, tls) as device:
                await device.ask(WHO)
                assert (await device.answer())["result"] == {"certified": "", "wire": "mqtt"}

    async def test_mqtt_without_it_stays_on_loopback(self, authority: TestAuthority) -> None:
        async with serving(authority) as server:
            assert 0 != server.mqtt_port != server.mqtt_tls_port
            client = RawMqtt(*await asyncio.open_connection(HOST, server.mqtt_port), 4)
            await client.send(Connect(client_id="plain-1", version=4))
            assert isinstance(await client.receive(), Connack)
            await client.close()

    async def test_or_is_switched_off(self, authority: TestAuthority) -> None:
        async with serving(authority, mqtt__plain="off") as server:
            assert server.mqtt_port == 0
            assert server.mqtt_tls_port != 0

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_both_versions(self, authority: TestAuthority, version: ssl.TLSVersion) -> None:
        async with serving(authority) as server:
            tls = authority.trusting()
            tls.minimum_version = tls.maximum_version = version
            assert (await ask(server, tls))["status"] == 200

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    async def test_no_older_one(self, authority: TestAuthority) -> None:
        async with serving(authority) as server:
            tls = authority.trusting()
            tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
            tls.set_ciphers("ALL:@SECLEVEL=0")
            assert not await _is_let_in(server, tls)

    async def test_an_answer_longer_than_a_record_arrives_whole(
        self, authority: TestAuthority
    ) -> None:
        async with serving(authority) as server:
            tls = authority.trusting()
            client = await RawClient.connect(server.port, tls=tls)
            answer = await client.ask(get("/_/test/large"))
            assert answer.envelope["result"] == "x" * 100_000
            await client.close()

    async def test_a_refused_request_is_answered_before_the_end(
        self, authority: TestAuthority
    ) -> None:
        async with serving(authority) as server:
            client = await RawClient.connect(server.port, tls=authority.trusting())
            answer = await client.ask(b"nonsense\r\n\r\n")
            assert answer.error_id == "network.http.unexpected_error"
            assert await client.read_rest() == b""
            await client.close()

    async def test_stopping_says_goodbye(self, authority: TestAuthority) -> None:
        tls = authority.trusting()
        async with serving(authority, tls__handshake_timeout_s=600) as server:
            browser = await websockets.connect(f"wss://localhost:{server.port}", ssl=tls)
            async with mqtt(server.mqtt_tls_port, tls) as device, Stranger(server.port) as stranger:
                await bounded(server.stop())
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    await bounded(browser.recv())
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1012
                assert await device.receive() is None
                assert await stranger.told() == b""


class TestStrangers:
    async def test_plain_http_is_told_to_use_tls(self, authority: TestAuthority) -> None:
        async with serving(authority) as server:
            client = await RawClient.connect(server.port)
            answer = await client.ask(get("/_now"))
            assert answer.status == 400
            assert "use https" in answer.envelope["error"]["message"]
            assert await client.read_rest() == b""
            await client.close()

    @pytest.mark.parametrize("first", [b"\x10\x0c\0\x04MQTT", b"\0", b"SSH-2.0-x\r\n"])
    async def test_other_protocols_are_hung_up_on(
        self, authority: TestAuthority, first: bytes
    ) -> None:
        async with serving(authority) as server, Stranger(server.mqtt_tls_port) as stranger:
            stranger.writer.write(first)
            assert await stranger.told() == b""

    @pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
    async def test_a_handshake_that_does_not_go_on_ends(
        self, authority: TestAuthority, first: bytes
    ) -> None:
        async with (
            serving(authority, tls__handshake_timeout_s=1.5) as server,
            Stranger(server.port) as stranger,
        ):
            if first:
                stranger.writer.write(first)
            await stranger.told()
            assert (await ask(server, authority.trusting()))["status"] == 200

    async def test_garbage_instead_of_a_handshake(self, authority: TestAuthority) -> None:
        async with serving(authority) as server, Stranger(server.port) as stranger:
            stranger.writer.write(b"\x16" + os.urandom(500))
            await stranger.told()
            assert (await ask(server, authority.trusting()))["status"] == 200

    async def test_who_hangs_up_at_once_leaves_nothing(self, authority: TestAuthority) -> None:
        async with serving(authority) as server:
            for _ in range(20):
                async with Stranger(server.port):
                    pass
            refused = server.core.observer.refusals
            await until(lambda: refused.get(("http", "tls handshake"), 0) == 20)
            assert (await ask(server, authority.trusting()))["status"] == 200

    async def test_handshakes_are_bounded(self, authority: TestAuthority) -> None:
        async with (
            serving(authority, tls__handshakes=5) as server,
            contextlib.AsyncExitStack() as held,
        ):
            waiting = [await held.enter_async_context(Stranger(server.port)) for _ in range(5)]
            async with Stranger(server.port) as one_more:
                assert await one_more.told() == b""
            assert server.core.observer.refusals["http", "tls handshakes"] == 1
            waiting[0].writer.close()
            await until(lambda: ("http", "tls handshake") in server.core.observer.refusals)
            assert (await ask(server, authority.trusting()))["status"] == 200

    async def test_one_address_cannot_take_all_of_them(self, authority: TestAuthority) -> None:
        async with (
            serving(authority, tls__handshakes_per_address=3) as server,
            contextlib.AsyncExitStack() as held,
        ):
            for _ in range(3):
                await held.enter_async_context(Stranger(server.port))
            async with Stranger(server.port) as one_more:
                assert await one_more.told() == b""
            # 127.0.0.2 is this machine as well, and another address.
            with socket.create_connection(
                (HOST, server.port), source_address=("127.0.0.2", 0)
            ) as it:
                other = await asyncio.to_thread(_handshake, it, authority.trusting())
            assert other.startswith("TLSv1")

    async def test_others_are_quick_meanwhile(self, authority: TestAuthority) -> None:
        # Half-open handshakes hold nothing that an open connection needs.
        async with (
            serving(authority, tls__handshake_timeout_s=600) as server,
            contextlib.AsyncExitStack() as held,
        ):
            client = await RawClient.connect(server.port, tls=authority.trusting())
            for number in range(90):
                stranger = await held.enter_async_context(Stranger(server.port))
                stranger.writer.write(b"\x16\x03\x01"[: number % 4])
            for _ in range(50):
                assert (await client.ask(get("/_now"))).status == 200
            await client.close()


class TestRenewal:
    async def test_new_connections_see_the_new_certificate(
        self, authority: TestAuthority, tmp_path: Path
    ) -> None:
        issued = authority.issue()
        async with serving(authority, issued, tls__reload_s=0.1) as server:
            old = await RawClient.connect(server.port, tls=authority.trusting())
            other = TestAuthority(tmp_path, "another CA")
            renewed = other.issue()
            os.replace(renewed.key, issued.key)
            os.replace(renewed.certificate, issued.certificate)
            async with asyncio.timeout(60):
                while not await _is_trusted(server, other):
                    await asyncio.sleep(0.02)
            assert not await _is_trusted(server, authority)
            assert (await old.ask(get("/_now"))).status == 200
            await old.close()

    async def test_a_broken_file_changes_nothing(self, authority: TestAuthority) -> None:
        issued = authority.issue()
        async with serving(authority, issued) as server:
            issued.certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nbroken\n")
            await server.refresh()
            assert await _is_trusted(server, authority)


class TestClientCertificates:
    @pytest.mark.parametrize("demand", ["required", "optional"])
    async def test_its_name_is_the_users(self, authority: TestAuthority, demand: str) -> None:
        tls = authority.trusting(authority.issue("truck-7", alternatives=()))
        asked = asking_for_clients(authority, demand)
        async with serving(authority, tls__client_user_prefix="device-", **asked) as server:
            answer = await ask(server, tls, "/_/test/who")
            assert answer["result"]["certified"] == "device-truck-7"
            async with websockets.connect(f"wss://localhost:{server.port}", ssl=tls) as client:
                await client.send(json.dumps(WHO))
                answer = json.loads(await bounded(client.recv()))
                assert answer["result"]["certified"] == "device-truck-7"
            async with mqtt(server.mqtt_tls_port, tls) as device:
                await device.ask(WHO)
                assert (await device.answer())["result"]["certified"] == "device-truck-7"

    async def test_one_whose_user_nobody_knows_is_refused(self, authority: TestAuthority) -> None:
        tls = authority.trusting(authority.issue("truck-99", alternatives=()))
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            assert (await ask(server, tls))["error"]["id"] == "security.token.invalid"

    async def test_or_an_alternative_name(self, authority: TestAuthority) -> None:
        name = x509.RFC822Name("truck@example.com")
        tls = authority.trusting(authority.issue("truck-7", alternatives=[name]))
        asked = asking_for_clients(authority, "required")
        async with serving(authority, tls__client_user="email", **asked) as server:
            answer = await ask(server, tls, "/_/test/who")
            assert answer["result"]["certified"] == "truck@example.com"

    async def test_without_one_where_it_is_optional(self, authority: TestAuthority) -> None:
        async with serving(authority, **asking_for_clients(authority, "optional")) as server:
            answer = await ask(server, authority.trusting(), "/_/test/who")
            assert answer["result"]["certified"] == ""

    async def test_without_one_where_it_is_required(self, authority: TestAuthority) -> None:
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            assert not await _is_let_in(server, authority.trusting())

    async def test_one_that_nobody_asked_for_names_nobody(self, authority: TestAuthority) -> None:
        tls = authority.trusting(authority.issue("truck-7", alternatives=()))
        async with serving(authority) as server:
            assert (await ask(server, tls, "/_/test/who"))["result"]["certified"] == ""

    @pytest.mark.parametrize("demand", ["required", "optional"])
    @pytest.mark.parametrize("fault", ["expired", "not yet", "another CA", "self-signed"])
    async def test_a_bad_one_ends_the_connection(
        self, authority: TestAuthority, tmp_path: Path, demand: str, fault: str
    ) -> None:
        stranger = TestAuthority(tmp_path, "another CA")
        match fault:
            case "expired":
                shown = authority.issue("truck-7", days=(-9, -1))
            case "not yet":
                shown = authority.issue("truck-7", days=(1, 9))
            case "another CA":
                shown = stranger.issue("truck-7")
            case _:
                shown = stranger.self_signed("truck-7")
        async with serving(authority, **asking_for_clients(authority, demand)) as server:
            good = await RawClient.connect(
                server.port, tls=authority.trusting(authority.issue("truck-8"))
            )
            assert not await _is_let_in(server, authority.trusting(shown))
            assert (await good.ask(get("/_now"))).status == 200
            await good.close()

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_a_session_ends_with_the_certificate(
        self, authority: TestAuthority, version: ssl.TLSVersion
    ) -> None:
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            for seconds in (1, 5, 25, 60):  # it may end too soon on a busy machine
                ends = math.ceil(time.time()) + seconds
                shown = authority.issue("truck-7", days=(-1, (ends - time.time()) / 86_400))
                tls = authority.trusting(shown)
                tls.minimum_version = tls.maximum_version = version
                first, session, _ = await asyncio.to_thread(_resume, server.port, tls, None)
                again, _, is_resumed = await asyncio.to_thread(_resume, server.port, tls, session)
                if time.time() < ends:
                    break
            assert (first, again, is_resumed) == (True, True, True)
            await until(lambda: time.time() > ends + 1, within_s=600)
            assert not (await asyncio.to_thread(_resume, server.port, tls, session))[0]


class TestClients:
    """Clients that we did not write."""

    @pytest.mark.needs("curl")
    async def test_curl(self, authority: TestAuthority) -> None:
        shown = authority.issue("truck-7", alternatives=())
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            url = f"https://localhost:{server.port}/_/test/who"
            trust = ("--cacert", str(authority.file))
            show = ("--cert", str(shown.certificate), "--key", str(shown.key))
            code, out, err = await run("curl", "-sS", *trust, *show, url)
            assert code == 0, err
            assert json.loads(out)["result"]["certified"] == "truck-7"
            assert (await run("curl", "-sS", *trust, url))[0] != 0
            assert (await run("curl", "-sS", *show, url))[0] == 60

    @pytest.mark.needs("mosquitto_rr")
    async def test_mosquitto(self, authority: TestAuthority) -> None:
        shown = authority.issue("truck-7", alternatives=())
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            words = ["-h", "localhost", "-p", str(server.mqtt_tls_port), "-W", "50"]
            words += ["--cafile", str(authority.file), "-t", "Kuzzle/request"]
            words += ["-e", "Kuzzle/response", "-m", json.dumps(WHO)]
            show = ("--cert", str(shown.certificate), "--key", str(shown.key))
            code, out, err = await run("mosquitto_rr", *words, *show)
            assert code == 0, err
            assert json.loads(out)["result"]["certified"] == "truck-7"
            assert (await run("mosquitto_rr", *words))[0] != 0

    @pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
    async def test_paho(self, authority: TestAuthority, version: Any) -> None:
        shown = authority.issue("truck-7", alternatives=())
        async with serving(authority, **asking_for_clients(authority, "required")) as server:
            answer = await asyncio.to_thread(_ask_by_paho, server, authority, shown, version)
            assert answer["result"]["certified"] == "truck-7"

    @pytest.mark.needs("node", "kuzzle-sdk")
    @pytest.mark.parametrize("protocol", ["ws", "http"])
    async def test_kuzzle_sdk(self, authority: TestAuthority, protocol: str) -> None:
        program = str(Path(__file__).parent.parent / "node" / "tls_program.mjs")
        async with serving(authority) as server:
            trust = f"NODE_EXTRA_CA_CERTS={authority.file}"
            code, out, err = await run("env", trust, "node", program, protocol, str(server.port))
            assert code == 0, err
            assert json.loads(out)["status"] == 200
            code, out, err = await run("node", program, protocol, str(server.port))
            assert code != 0, out


class TestOwnClient:
    # Over MQTT paho shakes hands without the event loop, so that is tried from another process
    # (test_tls_program).
    @pytest.mark.parametrize("protocol", ["ws", "http"])
    async def test_it_trusts_whom_it_is_told_to(
        self, authority: TestAuthority, tmp_path: Path, protocol: Protocol
    ) -> None:
        async with serving(authority) as server:
            tls = trusting(authority.file)
            async with connect(protocol, "localhost", server.port, tls=tls) as client:
                asked = [client.query(WHO) for _ in range(20)]
                answers = await bounded(asyncio.gather(*asked))
                assert {answer["status"] for answer in answers} == {200}
            stranger = trusting(TestAuthority(tmp_path, "another CA").file)
            with pytest.raises(ConnectionFailedError, match=r"(?i)certificate"):
                async with connect(protocol, "localhost", server.port, tls=stranger):
                    pass

    @pytest.mark.parametrize("content", [None, b"", b"garbage"])
    def test_a_file_without_authorities_is_named(
        self, tmp_path: Path, content: bytes | None
    ) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConnectionFailedError, match=str(file)):
            trusting(file)


class TestStart:
    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"tls__certificate": "no-such.pem"}, "tls.certificate"),
            ({"tls__certificate": ""}, "tls.certificate"),
            ({"tls__client_certificates": "required"}, "tls.client_ca"),
        ],
    )
    async def test_without_good_files_it_fails(
        self, authority: TestAuthority, settings: dict[str, Any], key: str
    ) -> None:
        with pytest.raises(StartError, match=key):
            async with serving(authority, **settings):
                pass

    async def test_a_port_in_use_is_named(self, authority: TestAuthority) -> None:
        async with serving(authority) as first:
            for name, port in (("server", first.port), ("mqtt.tls", first.mqtt_tls_port)):
                setting = f"{name}.port" if name == "server" else f"{name}_port"
                with pytest.raises(StartError, match=setting.replace(".", r"\.")):
                    async with serving(authority, **{setting.replace(".", "__"): port}):
                        pass


def _handshake(connection: socket.socket, tls: ssl.SSLContext) -> str:
    with tls.wrap_socket(connection, server_hostname="localhost") as wrapped:
        return wrapped.version() or ""


def _resume(
    port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bool, ssl.SSLSession | None, bool]:
    """Whether there was an answer, the session of that connection, and whether it was old."""
    with (
        socket.create_connection((HOST, port), timeout=60) as connection,
        tls.wrap_socket(connection, server_hostname="localhost", session=session) as client,
    ):
        client.sendall(get("/_now"))
        try:
            is_answered = client.recv(65_536).startswith(b"HTTP/1.1 200")
        except (OSError, ssl.SSLError):
            is_answered = False
        found = is_answered, client.session, bool(client.session_reused)
        with contextlib.suppress(OSError):
            client.unwrap()
        return found


async def _is_trusted(server: Server, authority: TestAuthority) -> bool:
    try:
        return (await ask(server, authority.trusting()))["status"] == 200
    except ssl.SSLCertVerificationError:
        return False


async def _is_let_in(server: Server, tls: ssl.SSLContext) -> bool:
    # With TLS 1.3 a client hears of its certificate's fate with the first thing it reads.
    try:
        return (await ask(server, tls))["status"] == 200
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return False


def _ask_by_paho(
    server: Server, authority: TestAuthority, shown: Issued, version: Any
) -> dict[str, Any]:
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="p", protocol=version)
    client.tls_set(str(authority.file), str(shown.certificate), str(shown.key))
    client.on_connect = lambda *_: client.publish("Kuzzle/request", json.dumps(WHO))

    client.on_message = lambda _c, _u, message: answers.put(json.loads(message.payload))
    client.connect("localhost", server.mqtt_tls_port)
    client.loop_start()
    try:
        return answers.get(timeout=60)
    finally:
        client.disconnect()
        client.loop_stop()
