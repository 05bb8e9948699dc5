"""The file of an application: one line says what is wrong with it."""

import pytest

from trivium.appfile import AppFileError, load_app


def written(tmp_path, text: str):
    file = tmp_path / "fleet.py"
    file.write_text(text)
    return file


class TestFound:
    def test_the_variable_app_is_served(self, tmp_path):
        file = written(tmp_path, "from trivium import App\napp = App('a')\nother = App('b')")
        assert load_app(file).name == "a"

    def test_the_only_application_is_served_whatever_its_name(self, tmp_path):
        file = written(tmp_path, "from trivium import App\nfleet = again = App('fleet')")
        assert load_app(file).name == "fleet"

    def test_modules_beside_the_file_can_be_imported(self, tmp_path):
        (tmp_path / "beside_the_fleet.py").write_text("NAME = 'beside'")
        text = "from trivium import App\nfrom beside_the_fleet import NAME\napp = App(NAME)"
        assert load_app(written(tmp_path, text)).name == "beside"

    def test_its_dataclasses_find_their_module(self, tmp_path):
        text = (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "from trivium import App\n@dataclass\nclass A:\n    b: int\napp = App()"
        )
        load_app(written(tmp_path, text))


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("x = 1", "makes 0 applications"),
            ("from trivium import App\na = App()\nb = App()", "makes 2 applications"),
            ("def broken(:", r"fleet\.py:1: SyntaxError"),
            ("import nothing_of_that_name", r"fleet\.py:1: ModuleNotFoundError"),
            ("x = 1\n\nx / 0", r"fleet\.py:3: ZeroDivisionError: division by zero"),
            (
                "from trivium import App\napp = App()\napp.models.register_asset('truck')",
                r'fleet\.py:3: ValueError: Asset model "truck" must be PascalCase',
            ),
        ],
    )
    def test_one_line_names_file_line_and_reason(self, tmp_path, text, reason):
        with pytest.raises(AppFileError, match=reason) as refused:
            load_app(written(tmp_path, text))
        assert "\n" not in str(refused.value)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(AppFileError, match=r"no such app file: .*fleet\.py"):
            load_app(tmp_path / "fleet.py")
