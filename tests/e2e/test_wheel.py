"""The package as others install it: built, put into a fresh environment, run in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.support.server import ROOT, serving
from trivium.version import VERSION

BOUND_S = 300.0


def run(*words: str, folder: Path = ROOT) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, so that nothing left over from another build gets in.
    # Tests beside these write byte code, which is there and gone in a moment.
    left_out = shutil.ignore_patterns(
        ".*", "__pycache__", "node_modules", "build", "dist", "data", "*.egg-info"
    )
    source = shutil.copytree(ROOT, folder / "source", ignore=left_out)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*build, "--outdir", str(folder), folder=source)
    return next(folder.glob("trivium-*.whl"))


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The bin folder of an environment that has the wheel; dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    # A path file: packages that lie there are found, but path files in there (such as that of
    # an editable install, which leads to the source tree) are not read.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", where).strip())
    (packages / "dependencies.pth").write_text(run(sys.executable, "-c", where))
    return folder / "bin"


@pytest.mark.slow
class TestWheel:
    def test_it_holds_the_packages_of_the_house_and_no_others(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            top = {name.split("/")[0] for name in archive.namelist()}
        assert {name for name in top if not name.endswith(".dist-info")} == {
            "access", "console", "controllers", "protocols", "realtime", "router", "storage",
            "trivium",
        }  # fmt: skip

    def test_every_module_of_the_source_is_in_it(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            shipped = {name for name in archive.namelist() if name.endswith(".py")}
        rooms = {name.split("/")[0] for name in shipped}
        source = {
            str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py")
        }
        assert shipped == source

    def test_the_modules_are_those_of_the_wheel(self, programs, tmp_path):
        found = run(
            str(programs / "python"), "-c", "import trivium; print(trivium.__file__)",
            folder=tmp_path,
        )  # fmt: skip
        assert Path(found).is_relative_to(programs.parent)

    def test_its_version_is_that_of_the_source(self, programs, tmp_path):
        told = run(str(programs / "trivium"), "--version", folder=tmp_path)
        assert told == f"trivium {VERSION}\n"

    def test_its_settings_are_there(self, programs, tmp_path):
        assert "[server]" in run(str(programs / "trivium"), "settings", folder=tmp_path)

    def test_its_pages_are_there(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            shipped = {name for name in archive.namelist() if name.startswith("console/")}
        assert shipped == {
            f"console/{path.name}" for path in (ROOT / "console").iterdir() if path.is_file()
        }

    def test_it_serves_in_an_empty_folder(self, programs, tmp_path):
        program, without_source = [str(programs / "trivium")], {"PYTHONPATH": ""}
        with (
            serving(tmp_path, program=program, environment=without_source) as server,
            urllib.request.urlopen(f"{server.url}/_ready", timeout=120) as answer,
        ):
            assert json.load(answer)["status"] == 200
