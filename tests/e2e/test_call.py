"""`trivium call` and `trivium import`, over real connections, with exit codes for scripts."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.program import trivium
from tests.support.server import Server, serving

WIRES = ["ws", "http", "mqtt"]
BODY = '{"metadata":{"runways":"closed"}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fleet")
    app = folder / "fleet.py"
    app.write_text(
        "from trivium import App\napp = App()\n"
        "fields = {'runways': {'type': 'keyword'}, 'elevation': {'type': 'integer'}}\n"
        "app.models.register_asset('Airport', metadata_mappings=fields)\n"
        "@app.pipe('device-manager:asset:update:before')\n"
        "def enrich(payload):\n"
        "    payload['updates']['metadata']['enriched'] = True\n"
        "    return payload\n"
    )
    with serving(folder, app=app) as running:
        call(running, "ws", "device-manager/engine:create", "airports")
        asset = '{"model":"Airport","reference":"CDG"}'
        call(running, "ws", "device-manager/asset:create", "airports", "--body", asset)
        yield running


def call(server: Server, wire: str, *words: str, stdin: str = ""):
    port = server.mqtt_port if wire == "mqtt" else server.port
    return trivium("call", *words, "--protocol", wire, "--port", str(port), stdin=stdin)


@pytest.mark.parametrize("wire", WIRES)
class TestAnswers:
    def test_the_documented_command_prints_the_result(self, server, wire):
        ran = call(
            server, wire, "device-manager/asset:update", "airports",
            "--id", "Airport-CDG", "--body", BODY,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        result = json.loads(ran.stdout)
        assert result["_id"] == "Airport-CDG"
        assert result["_source"]["metadata"] == {"runways": "closed", "enriched": True}
        assert "Successfully executed" in ran.stderr

    def test_arguments_reach_the_action(self, server, wire):
        ran = call(
            server, wire, "device-manager/asset:update", "airports",
            "--id", "Airport-CDG", "--body", BODY, "-a", "source=true",
        )  # fmt: skip
        assert json.loads(ran.stdout)["_source"]["reference"] == "CDG"

    def test_words_take_their_places(self, server, wire):
        ran = call(server, wire, "document:get", "airports", "assets", "Airport-CDG")
        assert json.loads(ran.stdout)["_id"] == "Airport-CDG"

    def test_an_error_of_the_api_is_exit_code_1(self, server, wire):
        ran = call(server, wire, "document:get", "airports", "assets", "nowhere")
        assert ran.returncode == 1
        assert ran.stdout == ""
        assert "Error id: services.storage.not_found" in ran.stderr
        assert "Error status: 404" in ran.stderr

    def test_an_error_as_json_is_the_error_object(self, server, wire):
        ran = call(server, wire, "document:get", "airports", "assets", "nowhere", "--json")
        assert ran.returncode == 1
        assert json.loads(ran.stdout)["id"] == "services.storage.not_found"
        assert ran.stderr == ""

    def test_nobody_at_the_port_is_exit_code_1_and_one_line(self, server, wire):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = str(unused.getsockname()[1])
            ran = trivium("call", "server:now", "--protocol", wire, "--port", port)
        assert ran.returncode == 1
        assert ran.stderr.startswith("[X] no ")
        assert ran.stderr.count("\n") == 1


class TestWords:
    def test_a_body_may_come_from_standard_input(self, server):
        ran = call(
            server, "ws", "device-manager/asset:update", "airports",
            "--id", "Airport-CDG", "--body", "-", stdin=BODY,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr

    def test_a_body_may_come_from_a_file(self, server, tmp_path):
        file = tmp_path / "body.json"
        file.write_text(BODY)
        ran = call(
            server, "ws", "device-manager/asset:update", "airports",
            "--id", "Airport-CDG", "--body", f"@{file}",
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr

    def test_a_path_names_what_to_print(self, server):
        path = "result._source.reference"
        where = ["document:get", "airports", "assets", "Airport-CDG"]
        assert json.loads(call(server, "ws", *where, "--display", path).stdout) == "CDG"

    def test_only_json_is_printed_when_asked(self, server):
        ran = call(server, "ws", "server:now", "--json")
        assert json.loads(ran.stdout)["now"] > 0
        assert ran.stderr == ""

    def test_a_body_that_is_no_json_is_exit_code_1(self, server):
        ran = call(server, "ws", "document:search", "airports", "assets", "--body", "{a")
        assert ran.returncode == 1
        assert "not JSON" in ran.stderr

    def test_an_action_without_route_is_named_over_http(self, server):
        ran = call(server, "http", "document:nothing")
        assert ran.returncode == 1
        assert 'No URL found for "document:nothing".' in ran.stderr

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["nope"], "nope"),
            (["document:get", "--id", "a1", "i"], "Unexpected argument: i"),
            (["document:get", "i", "c", "a", "{}", "more"], "Unexpected argument: more"),
            (["document:get", "-a", "novalue"], "name=value"),
            (["document:get", "--no-such-flag"], "--no-such-flag"),
            (["document:get", "--protocol", "smoke"], "smoke"),
            ([], "Missing argument"),
        ],
    )
    def test_a_command_line_that_makes_no_sense_is_exit_code_2(self, words, reason):
        ran = trivium("call", *words)
        assert ran.returncode == 2
        assert reason in ran.stderr
        assert ran.stdout == ""


class TestImport:
    def load(self, server: Server, text: str, tmp_path, *, index: str = "airports"):
        file = tmp_path / "fleet.csv"
        file.write_text(text)
        return trivium(
            "import", str(file), "--index", index, "--model", "Airport", "--port", str(server.port)
        )

    def test_every_row_becomes_an_asset_of_the_model(self, server, tmp_path):
        rows = "".join(f"IMP{number},{number}\n" for number in range(3000))
        ran = self.load(server, f"reference,metadata.elevation\n{rows}", tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == "3000 assets are in airports, 0 rows were refused\n"
        stored = call(server, "ws", "document:get", "airports", "assets", "Airport-IMP2999")
        assert json.loads(stored.stdout)["_source"]["metadata"]["elevation"] == 2999

    def test_a_refused_row_is_named_by_its_line_and_the_others_are_in(self, server, tmp_path):
        rows = "".join(f"{'x' * 60}{number},1\n" for number in range(4000))
        text = f"reference,metadata.elevation\n{rows}BAD,high\nGOOD,12\n"
        ran = self.load(server, text, tmp_path)
        assert ran.returncode == 1
        assert "fleet.csv:4002: " in ran.stderr
        assert ran.stdout == "4001 assets are in airports, 1 rows were refused\n"
        good = call(server, "ws", "document:exists", "airports", "assets", "Airport-GOOD")
        assert json.loads(good.stdout) is True

    def test_an_unknown_engine_is_one_line(self, server, tmp_path):
        ran = self.load(server, "reference\nA\n", tmp_path, index="nowhere")
        assert ran.returncode == 1
        assert ran.stderr.startswith("[X] ")
        assert "nowhere" in ran.stderr

    @pytest.mark.parametrize("text", ["", "reference\n\xff"])
    def test_a_file_that_is_no_csv_is_one_line(self, server, text, tmp_path):
        file = tmp_path / "fleet.csv"
        file.write_bytes(text.encode("latin-1"))
        ran = trivium("import", str(file), "-i", "airports", "-m", "Airport")
        assert ran.returncode == 1
        assert ran.stderr.count("\n") == 1
