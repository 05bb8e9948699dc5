"""docs/conformance-mqtt.md names tests: each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
TABLE = ROOT / "docs" / "conformance-mqtt.md"


def test_every_test_that_the_table_names_exists() -> None:
    text = TABLE.read_text()
    files = dict(re.findall(r"^\| `(\w+)` \| (tests/\S+) \|$", text, re.MULTILINE))
    named = set(re.findall(r"`(\w+)::([\w:]+)`", text))
    assert len(named) > 100
    known = {alias: _tests(ROOT / path) for alias, path in files.items()}
    missing = {f"{alias}::{name}" for alias, name in named if name not in known.get(alias, ())}
    assert not missing


def test_every_statement_says_what_shows_it_or_why_nothing_does() -> None:
    row = re.compile(r"^\|([\d., to-]*)\|([\d., to-]*)\| (.+) \| (.+) \|$", re.MULTILINE)
    rows = [found for found in row.findall(TABLE.read_text()) if found[2] != "asks"]
    assert len(rows) > 150
    reasons = ("later", "does not apply", "differs on purpose", "refused by")
    for five, three, _, shown in rows:
        assert five.strip() or three.strip()
        assert "`" in shown or shown.startswith(reasons), (five, three)


def _tests(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{name}" for name in _functions(node.body)}
    return found | _functions(ast.parse(path.read_text()).body)


def _functions(body: list[ast.stmt]) -> set[str]:
    return {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }
