"""Searches find exactly what was recorded, page by page, whatever the files look like."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.audit import segments
from access.audit.entry import Entry
from access.audit.search import Wanted, search
from tests.support.audits import DAY_MS, NOON, Clock, entries, entry, writer_of

NAMES = ["ada", "grace", 'a"b', '"kuid":"ada"', "é", "a,b", ""]
SIXTY = 60


@pytest.fixture(scope="module", name="folder")
def folder_of_sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    clock = Clock()
    writer = writer_of(folder, clock, file=3_000)
    writer.open()
    for number in range(SIXTY):
        clock.now = NOON + number * DAY_MS // 20
        name = NAMES[number % len(NAMES)]
        writer.append(
            [
                entry(
                    at=clock.now,
                    kuid=name,
                    id=NAMES[number % 5],
                    action=("login", "logout")[number % 2],
                    controller=("auth", "security", "admin")[number % 3],
                    outcome=("allowed", "refused", "failed")[number % 3],
                    index=(None, "fleet", "fleet,tenant", "tenant")[number % 4],
                )
            ]
        )
    writer.close()
    return folder


def test_without_filters_all_come_the_newest_first(folder: Path) -> None:
    page = search(folder, Wanted(size=1_000), timeout_s=10)
    assert page.entries == entries(folder)[::-1]
    assert page.before is None


def optional(values: list[str]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(values)


@given(
    wanted=st.builds(
        Wanted,
        since=st.integers(NOON - 1, NOON + 3 * DAY_MS),
        until=st.none() | st.integers(NOON, NOON + 4 * DAY_MS),
        kuid=optional(NAMES),
        id=optional(NAMES),
        controller=optional(["auth", "security", "none"]),
        action=optional(["login", "log"]),
        outcome=optional(["allowed", "refused"]),
        index=optional(["fleet", "tenant", "flee"]),
        before=st.none() | st.integers(1, SIXTY + 5),
        size=st.integers(1, SIXTY),
    )
)
def test_a_search_answers_what_looking_at_every_entry_does(folder: Path, wanted: Wanted) -> None:
    expected = [it for it in entries(folder)[::-1] if is_wanted(it, wanted)][: wanted.size]
    page = search(folder, wanted, timeout_s=10)
    assert page.entries == expected


def is_wanted(entry: Entry, wanted: Wanted) -> bool:
    exact = ("kuid", "id", "controller", "action", "outcome")
    return (
        wanted.since <= entry.at <= (wanted.until or entry.at)
        and all(getattr(wanted, key) in (None, getattr(entry, key)) for key in exact)
        and (wanted.index is None or wanted.index in (entry.index or "").split(","))
        and entry.seq < (wanted.before or entry.seq + 1)
    )


@given(size=st.integers(1, 25))
def test_pages_join_to_the_whole(folder: Path, size: int) -> None:
    found: list[Entry] = []
    before = None
    while True:
        page = search(folder, Wanted(size=size, kuid="ada", before=before), timeout_s=10)
        found += page.entries
        before = page.before
        if before is None:
            break
    assert found == [it for it in entries(folder)[::-1] if it.kuid == "ada"]


def test_a_search_that_ran_out_of_time_says_where_to_go_on(folder: Path) -> None:
    found: list[Entry] = []
    before, pages = None, 0
    while pages == 0 or before is not None:
        page = search(folder, Wanted(before=before, size=1_000), timeout_s=-1)
        found, before, pages = found + page.entries, page.before, pages + 1
    assert pages > 3
    assert found == entries(folder)[::-1]


@given(content=st.binary(max_size=60), block=st.integers(1, 20))
def test_lines_backwards_are_the_lines_forwards(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "file"
    path.write_bytes(content)
    blocks = list(segments.blocks_backwards(path, block=block))
    whole = content[: content.rfind(b"\n") + 1]
    assert b"".join(blocks[::-1]) == whole
    assert all(it.endswith(b"\n") for it in blocks)
    assert segments.whole_bytes(path, block=block) == len(whole)


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert search(tmp_path / "no", Wanted(), timeout_s=1) == ([], None)


def test_garbage_among_the_lines_is_passed_over(tmp_path: Path) -> None:
    clock = Clock()
    writer = writer_of(tmp_path, clock)
    writer.open()
    writer.append([entry(), entry()])
    writer.close()
    (part,) = segments.segments(tmp_path)
    part.path.write_bytes(b"garbage\n" + part.path.read_bytes() + b"\xff\n\n")
    assert [it.seq for it in search(tmp_path, Wanted(), timeout_s=1).entries] == [2, 1]


def test_entries_are_shown_as_json(folder: Path) -> None:
    shown = msgspec.to_builtins(search(folder, Wanted(size=1), timeout_s=1).entries)
    assert shown[0]["seq"] == SIXTY
    assert "anchor" not in shown[0]
