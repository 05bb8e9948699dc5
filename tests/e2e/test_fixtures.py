"""The data folder of every schema opens, is upgraded, and a backup from before comes back."""

from __future__ import annotations

import tarfile
from pathlib import Path

import apsw
import pytest

from storage.sqlite.schema import CURRENT
from tests.fixtures.make import (
    FIRST_WITH_USERS,
    FOLDER,
    THINGS,
    ask,
    log_in,
    schema_of,
    thing,
)
from tests.support.program import trivium
from tests.support.server import Server, serving
from trivium.cli.backup import backup, restore
from trivium.cli.doctor import examine

KEPT = sorted(int(path.name[7:-7]) for path in FOLDER.glob("schema-*.tar.gz"))
LAB = {"index": "lab", "collection": "things"}


def data_of(schema: int, folder: Path) -> Path:
    """The folder of a schema, as it was left."""
    with tarfile.open(FOLDER / f"schema-{schema}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "data" / "private").chmod(0o700)
    return folder / "data"


def check(server: Server, schema: int) -> None:
    """All that was put in is there, and goes on."""
    token = log_in(server) if schema >= FIRST_WITH_USERS else None

    def result(name: str, body: object = None, **place: object) -> dict:
        answer = ask(server, token, name, body, **place)
        assert answer["status"] == 200, (name, answer)
        return answer["result"]

    asked = {"ids": [f"t{n}" for n in range(THINGS)]}
    for n, found in enumerate(result("document:mGet", asked, **LAB)["successes"]):
        found["_source"].pop("_kuzzle_info")
        assert (found["_id"], found["_version"], found["_source"]) == (f"t{n}", 1, thing(n))
    for query in (
        {"range": {"n": {"gte": 10, "lt": 20}}},
        {"terms": {"n": list(range(10, 20))}},
        {"geo_distance": {"distance": "1m", "place": {"lat": 43.75, "lon": 3.87}}},
        {"match": {"text": "15"}},
    ):
        hits = result("document:search", {"query": query}, **LAB)["hits"]
        assert "t15" in {hit["_id"] for hit in hits}, query
    truck = {"index": "fleet", "_id": "Truck-0"}
    asset = result("device-manager/asset:update", {"metadata": {"n": 40}}, **truck)
    assert asset["_version"] == 41
    born = {"model": "Truck", "reference": "1"}
    again = result("device-manager/asset:create", born, index="fleet")
    assert again["_version"] == 3
    assert result("collection:exists", index="lab", collection="gone") is False


def test_every_older_schema_has_a_folder() -> None:
    assert set(range(2, CURRENT)) <= set(KEPT)


@pytest.mark.parametrize("schema", KEPT)
class TestAFolder:
    def test_opens_and_is_upgraded(self, schema: int, tmp_path: Path) -> None:
        data = data_of(schema, tmp_path)
        assert schema_of(data) == schema
        told = [finding.said for finding in examine(None, data) if "schema of" in finding.about]
        assert any(f"upgrades it to {CURRENT}" in said for said in told) == (schema < CURRENT)
        with serving(tmp_path) as server:
            check(server, schema)
        assert schema_of(data) == CURRENT
        beside = data / f"trivium.db.schema-{schema}"
        assert beside.exists() == (schema < CURRENT)

    def test_has_a_backup_from_before_that_comes_back(self, schema: int, tmp_path: Path) -> None:
        data = data_of(schema, tmp_path)
        backup(tmp_path / "all.backup", data, None)
        # What was in force when the backup was made is gone.
        for path in data.glob("trivium.db*"):
            path.unlink()
        again = tmp_path / "again"
        restore(tmp_path / "all.backup", again, None)
        assert schema_of(again) == schema
        with serving(tmp_path, data=again) as server:
            check(server, schema)
        assert schema_of(again) == CURRENT


def test_a_folder_of_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    data = data_of(KEPT[-1], tmp_path)
    connection = apsw.Connection(str(data / "trivium.db"))
    connection.pragma("user_version", CURRENT + 1)
    connection.close()
    before = (data / "trivium.db").read_bytes()
    words = ("--port", "0", "--mqtt-port", "0", "--data", str(data))
    refused = trivium("serve", *words, folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"has schema {CURRENT + 1}" in refused.stderr
    assert "use the version that wrote it, or a newer one" in refused.stderr
    (bad,) = [it for it in examine(None, data) if it.verdict == "bad" and "documents" in it.about]
    assert "use the version that wrote it" in bad.said
    assert (data / "trivium.db").read_bytes() == before
