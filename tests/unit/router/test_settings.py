"""Settings come from file, environment and flags, and what is wrong is named in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from router.settings import BadSettingError, Settings, load, render

SHIPPED = Path(__file__).parents[3] / "config" / "trivium.toml"


def wrong(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> str:
    """The one line that says what is wrong."""
    with pytest.raises(BadSettingError) as refusal:
        load(path, environ or {}, flags or {})
    text = str(refusal.value)
    assert "\n" not in text
    assert len(text) < 250
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trivium.toml"


class TestOrder:
    def test_nothing_given_is_the_defaults(self) -> None:
        assert load(None, {"PATH": "/bin", "TRIVIUM": "x"}, {}) == Settings()

    def test_file_then_environment_then_flags(self, file: Path) -> None:
        file.write_text('[server]\nhost = "::1"\nport = 1\n[mqtt]\nport = 1\n[frame]\nmax_depth=9')
        environ = {"TRIVIUM__SERVER__PORT": "2", "TRIVIUM__MQTT__PORT": "2"}
        settings = load(file, environ, {"server.port": 3})
        assert (settings.server.host, settings.frame.max_depth) == ("::1", 9)
        assert (settings.mqtt.port, settings.server.port) == (2, 3)

    def test_an_overruled_value_is_not_even_looked_at(self) -> None:
        environ = {"TRIVIUM__SERVER__PORT": "none"}
        assert load(None, environ, {"server.port": 3}).server.port == 3

    def test_texts_of_the_environment_stand_for_any_type(self, tmp_path: Path) -> None:
        settings = load(
            None,
            {
                "TRIVIUM__MQTT__ENABLED": "false",
                "TRIVIUM__SERVER__STOP_TIMEOUT_S": "2.5",
                "TRIVIUM__STORAGE__DATA": str(tmp_path),
                "TRIVIUM__LOG__LEVEL": "debug",
            },
            {},
        )
        assert settings.mqtt.enabled is False
        assert settings.server.stop_timeout_s == 2.5
        assert settings.storage.data == tmp_path
        assert settings.log.level == "debug"

    def test_an_empty_table_changes_nothing(self, file: Path) -> None:
        file.write_text("[server]\n")
        assert load(file, {}, {}) == Settings()


class TestFile:
    @pytest.mark.parametrize(
        ("text", "named", "expected"),
        [
            ('[server]\nport = "7512"', "server.port", "valid integer"),
            ("[server]\nport = true", "server.port", "valid integer"),
            ("[server]\nport = 99999", "server.port", "65535"),
            ("[server]\nport = -1", "server.port", "greater than or equal to 0"),
            ("[server.port]\nx = 1", "server.port", "valid integer"),
            ("[server]\nhost = 5", "server.host", "valid string"),
            ("[server]\nstop_timeout_s = inf", "server.stop_timeout_s", "finite"),
            ("[server]\nstop_timeout_s = nan", "server.stop_timeout_s", "finite"),
            ('[log]\nlevel = "loud"', "log.level", "'debug', 'info', 'warning' or 'error'"),
            ("[mqtt]\nenabled = 1", "mqtt.enabled", "valid boolean"),
            ("[server]\nprot = 1", "server.prot", "did you mean server.port?"),
            ("[sever]\nport = 1", "sever", "did you mean server?"),
            ("[qqq]\n", "qqq", "no such table"),
            ("server = 5", "server", "expected a table, [server]"),
            ("[server", "not TOML", "end of document"),
        ],
    )
    def test_a_wrong_value(self, file: Path, text: str, named: str, expected: str) -> None:
        file.write_text(text)
        line = wrong(file)
        assert named in line
        assert str(file)[:40] in line
        assert expected in line

    def test_the_value_is_quoted_but_not_at_length(self, file: Path) -> None:
        file.write_text(f'[server]\nport = "{"x" * 10_000}"')
        assert 'server.port = "xxx' in wrong(file)

    def test_a_file_that_is_not_there(self, file: Path) -> None:
        assert wrong(file) == f"settings file {file} can't be read: No such file or directory"

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "can't be read" in wrong(tmp_path)

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000])
    def test_a_file_of_something_else(self, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        assert f"settings file {file} is not" in wrong(file)


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("TRIVIUM__SERVER__PORT", "80x", "valid integer"),
            ("TRIVIUM__SERVER__PORT", "", "valid integer"),
            ("TRIVIUM__SERVER__PORT", "70\n000", "valid integer"),
            ("TRIVIUM__SERVER__PROT", "80", "did you mean server.port?"),
            ("TRIVIUM__SERVER", "{}", "no such setting"),
            ("TRIVIUM__A__B__C", "1", "no such setting"),
            ("TRIVIUM__", "1", "no such setting"),
            ("TRIVIUM__HTTP__MAX_HEADERS", "9" * 5000, "http.max_headers = '999"),
        ],
    )
    def test_a_wrong_variable(self, name: str, value: str, expected: str) -> None:
        line = wrong(environ={name: value})
        assert f"environment {name}" in line
        assert expected in line


class TestFlags:
    def test_a_wrong_value(self) -> None:
        line = wrong(flags={"server.port": 70_000})
        assert line == "server.port = 70000 (flag): expected less than or equal to 65535"

    def test_an_unknown_key(self) -> None:
        assert wrong(flags={"server.nothing": 1}).startswith("server.nothing (flag): ")


class TestRender:
    def test_the_shipped_file_is_what_the_settings_say(self) -> None:
        assert SHIPPED.read_text() == render(), (
            "print it anew: python -m trivium settings > config/trivium.toml"
        )

    def test_what_is_rendered_is_read_back(self, file: Path, tmp_path: Path) -> None:
        changed = load(
            None,
            {},
            {
                "server.host": 'a"b\\c\td\x7f€😀',
                "server.port": 1,
                "mqtt.enabled": False,
                "storage.data": tmp_path,
                "server.stop_timeout_s": 1e-7,
            },
        )
        file.write_text(render(changed))
        assert load(file, {}, {}) == changed

    def test_every_key_has_a_description_and_its_default(self) -> None:
        lines = render().splitlines()
        for section, field in Settings.model_fields.items():
            assert f"[{section}]" in lines
            for key, option in type(field.default).model_fields.items():
                assert option.description, f"{section}.{key} says nothing"
        assert all(len(line) <= 100 for line in lines)

    def test_every_default_meets_its_own_rule(self, file: Path) -> None:
        file.write_text(render())
        assert load(file, {}, {}) == Settings()


def test_no_password_of_a_url_is_shown() -> None:
    nodes = "https://ada:p@ss@one:9200, http://bob:hush@two,http://three/a@b"
    shown = load(None, {}, {"opensearch.nodes": nodes}).without_secrets().opensearch.nodes
    hidden = "(set, not shown)"
    assert shown == f"https://{hidden}@one:9200, http://{hidden}@two,http://three/a@b"


def test_a_secret_that_is_wrong_is_not_quoted(file: Path) -> None:
    file.write_text("[opensearch]\npassword = 12345678\n")
    assert wrong(file).startswith("opensearch.password = (set, not shown) (file ")
    file.write_text('[opensearch]\nnodes = ["http://ada:hush@one"]\n')
    assert "hush" not in wrong(file)
