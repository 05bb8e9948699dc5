"""What `make check` makes of pip-audit's reports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.setup.advisories import VALID_S, is_fresh, verdict

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2", "3"]}]}
UNMENDED = {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_finding_fails_and_names_the_way_out() -> None:
    code, said = verdict(report(GOOD, BAD, UNMENDED, UNKNOWN), "")
    assert code == 1
    assert "bad 1: PYSEC-1, mended in 2, 3" in said
    assert "bad 1: PYSEC-2, mended in no version yet" in said


def test_what_nothing_is_known_of_is_named_and_fails_nothing() -> None:
    code, said = verdict(report(GOOD, UNKNOWN), "")
    assert (code, said) == (
        0,
        "pip-audit: PyPI's advisories are out of reach for 1 of 2 packages: unknown",
    )


def test_a_network_that_knows_nothing_is_told_in_one_line() -> None:
    code, said = verdict(report(UNKNOWN), "")
    assert (code, said.endswith("out of reach here; nothing was audited")) == (0, True)


def test_a_clean_report_says_how_much_it_covers() -> None:
    assert verdict(report(GOOD), "") == (0, "pip-audit: nothing is known against 1 packages")


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}"])
def test_no_report_is_told_with_the_reason(broken: str) -> None:
    code, said = verdict(broken, "Traceback:\nConnectionError: no route\n")
    assert (code, said) == (0, "pip-audit: nothing was audited: ConnectionError: no route")


def test_a_lock_is_asked_about_once_a_day(tmp_path: Path) -> None:
    lock, stamp = tmp_path / "lock", tmp_path / "stamp"
    lock.touch()
    os.utime(lock, (1_000, 1_000))
    assert not is_fresh(stamp, lock, 2_000)
    stamp.touch()
    os.utime(stamp, (2_000, 2_000))
    assert is_fresh(stamp, lock, 2_001)
    assert not is_fresh(stamp, lock, 2_000 + VALID_S)
    os.utime(lock, (3_000, 3_000))
    assert not is_fresh(stamp, lock, 3_001)
