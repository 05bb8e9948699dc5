"""Whatever is done to the files, verifying names the first entry that it was done to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.audit.entry import EMPTY, Head, own, seal, unseal
from access.audit.segments import segments
from access.audit.verify import BadHeadError, Heads
from tests.support.audits import Clock, add, assert_whole, fault, verdict, writer_of

ENTRIES = 12


class Chain:
    """Twelve entries in three files, and the lines that somebody does something to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clock = Clock()
        writer = writer_of(folder, clock, file=1_200)
        writer.open()
        add(writer, clock, ENTRIES)
        self.head = writer.head
        writer.close()
        self.files = [it.path for it in segments(folder)]
        assert len(self.files) > 2
        self.lines = [line for path in self.files for line in path.read_bytes().splitlines(True)]

    def write(self, lines: list[bytes]) -> None:
        """Put these lines in the place of all that there are."""
        for path in self.files[1:]:
            path.unlink(missing_ok=True)
        self.files[0].write_bytes(b"".join(lines))


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


@pytest.fixture(scope="module", name="made")
def made_once() -> Iterator[Chain]:
    with TemporaryDirectory() as folder:
        yield Chain(Path(folder))


numbers = st.integers(0, ENTRIES - 1)


@given(number=numbers, data=st.data())
def test_one_byte_that_was_edited(made: Chain, number: int, data: st.DataObject) -> None:
    line = made.lines[number]
    at = data.draw(st.integers(0, len(line) - 1), label="place")
    byte = data.draw(st.integers(0, 255).filter(lambda it: it != line[at]), label="byte")
    edited = line[:at] + bytes([byte]) + line[at + 1 :]
    made.write([*made.lines[:number], edited, *made.lines[number + 1 :]])
    found = verdict(made.folder, made.head)
    assert found.fault is not None
    assert found.fault.seq == number + 1
    assert found.entries == number


@given(first=numbers, count=st.integers(1, ENTRIES - 1))
def test_entries_that_were_removed(made: Chain, first: int, count: int) -> None:
    made.write(made.lines[:first] + made.lines[first + count :])
    assert fault(made.folder, made.head).seq == first + 1


@given(two=st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted))
def test_entries_that_changed_places(made: Chain, two: list[int]) -> None:
    lines = list(made.lines)
    lines[two[0]], lines[two[1]] = lines[two[1]], lines[two[0]]
    made.write(lines)
    assert fault(made.folder, made.head).seq == two[0] + 1


@given(two=st.lists(numbers, min_size=2, max_size=2, unique=True))
def test_an_entry_that_was_copied(made: Chain, two: list[int]) -> None:
    source, target = two
    made.write([*made.lines[:target], made.lines[source], *made.lines[target:]])
    assert fault(made.folder, made.head).seq in {source + 1, target + 1}


@given(number=st.integers(0, ENTRIES - 2))
def test_an_entry_that_was_edited_together_with_its_hash(made: Chain, number: int) -> None:
    sealed = unseal(made.lines[number])
    assert sealed is not None
    forged, _ = seal(
        msgspec.structs.replace(sealed.entry, action="forged"),
        Head(number, sealed.entry.prev, sealed.entry.at),
    )
    made.write([*made.lines[:number], forged, *made.lines[number + 1 :]])
    assert fault(made.folder).seq == number + 1


@given(number=numbers)
def test_a_chain_that_was_made_anew_needs_a_head(made: Chain, number: int) -> None:
    sealed = unseal(made.lines[number])
    assert sealed is not None
    head = Head(number, sealed.entry.prev, 0)
    forged = []
    for seq in range(number, ENTRIES):
        line, head = seal(own(f"forged{seq}", at=0), head)
        forged.append(line)
    made.write([*made.lines[:number], *forged])
    assert_whole(made.folder)
    # A head of a day before says nothing of what came later, that of the forged day does.
    assert fault(made.folder, made.head) == fault(made.folder, made.head)
    assert fault(made.folder, made.head).seq == ENTRIES
    assert "no entry has the head" in fault(made.folder, made.head.hash).text
    assert fault(made.folder, f"{number + 1}:{sealed.hash}").seq == number + 1


def test_an_end_that_was_removed_needs_a_head(chain: Chain) -> None:
    chain.write(chain.lines[:-3])
    assert_whole(chain.folder)
    assert fault(chain.folder, chain.head).seq == ENTRIES - 2
    assert fault(chain.folder, chain.head.hash).seq == ENTRIES - 2


def test_a_beginning_that_was_removed_is_not_taken_for_pruned(chain: Chain) -> None:
    chain.files[0].unlink()
    first = unseal(chain.files[1].read_bytes().splitlines(True)[0])
    assert first is not None
    found = fault(chain.folder)
    assert found.seq == 1
    assert found.text == f"entries 1 to {first.entry.seq - 1} were removed"


def test_faults_say_which_entry_and_what_happened(chain: Chain) -> None:
    lines = chain.lines
    chain.write([*lines[:4], *lines[5:]])
    assert fault(chain.folder).text == "entry 5 was removed"
    chain.write([*lines[:4], lines[6], *lines[4:6], *lines[7:]])
    assert (
        fault(chain.folder).text
        == "entry 5 (2026-03-01T12:00:00.000+00:00, trivium:act4) was moved"
    )
    chain.write([lines[0].replace(b"act0", b"act1"), *lines[1:]])
    assert fault(chain.folder).text.endswith("trivium:act1) was edited")


def test_every_head_is_accepted_of_a_chain_that_is_whole(chain: Chain) -> None:
    heads = [unseal(line) for line in chain.lines]
    assert_whole(chain.folder, *(f"{it.entry.seq}:{it.hash}" for it in heads if it))
    assert_whole(chain.folder, *(it.hash for it in heads if it), EMPTY.hash)


@pytest.mark.parametrize("head", ["", "12", "12:abc", "x" * 64, f"-1:{'0' * 64}", "0" * 65])
def test_a_head_that_can_not_be_one_is_refused(head: str) -> None:
    with pytest.raises(BadHeadError):
        Heads([head])


def test_an_empty_folder_has_no_fault(tmp_path: Path) -> None:
    assert assert_whole(tmp_path / "nowhere") == 0
