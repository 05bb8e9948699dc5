"""What docs/security.md claims is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", DOCUMENT)

ROOMS = ("access", "controllers", "protocols", "realtime", "router", "storage")
OPENS = re.compile(
    r"ClientSession|AsyncOpenSearch\(|urlopen|asyncio\.open_connection|create_connection\("
    r"|\bsocket\.connect|websockets\.connect|HTTPConnection\("
)
MAY_OPEN = {"storage/opensearch/client.py"}


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_every_test_that_is_named_exists(path: str, test: str) -> None:
    assert (ROOT / path).exists()
    if test:
        assert re.search(rf"def {test}\(", (ROOT / path).read_text())


def test_every_row_of_the_ten_names_tests() -> None:
    rows = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    numbers = [row.split()[0] for row in rows if row.startswith("API")]
    assert numbers == [f"API{number}" for number in range(1, 11)]
    assert [row.splitlines()[0] for row in rows if "- `tests/" not in row] == []


def test_only_named_modules_open_connections() -> None:
    opening = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if OPENS.search(path.read_text())
    }
    assert opening == MAY_OPEN
