"""What an import remembers of itself."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from trivium.imports.journal import Journal
from trivium.imports.source import Mark, SourceError, opened

TEXT = b"one\ntwo\nthree\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    return path


def noted(file) -> None:
    """An import that has done the first line."""
    journal = Journal(file)
    with opened(file) as source:
        fresh = journal.find(source, "i/c", Mark())
    done = msgspec.structs.replace(
        fresh,
        offset=4,
        line=2,
        stored=1,
        doubt_until=8,
        digest=hashlib.sha256(b"one\n").hexdigest(),
    )
    journal.note(done)


def found(file, into="i/c"):
    with opened(file) as source:
        return Journal(file).find(source, into, Mark())


def test_an_import_begins_where_it_is_told_to(file):
    assert (found(file).mark, found(file).doubt_until) == (Mark(), 0)


def test_every_import_has_a_key_of_its_own(file):
    assert found(file).key != found(file).key


def test_one_that_stopped_goes_on(file):
    noted(file)
    assert (found(file).mark, found(file).stored) == (Mark(4, 2), 1)
    assert found(file).key == found(file).key
    assert Journal(file).line() == 2


def test_lines_that_are_still_to_come_may_be_mended(file):
    noted(file)
    file.write_bytes(b"one\n2\n3\n4\n")
    assert found(file).mark == Mark(4, 2)


@pytest.mark.parametrize("text", [b"ONE\ntwo\nthree\n", b"on"])
def test_lines_that_are_done_may_not(file, text):
    noted(file)
    file.write_bytes(text)
    with pytest.raises(SourceError, match="have changed"):
        found(file)


def test_another_destination_is_another_import(file):
    noted(file)
    with pytest.raises(SourceError, match="into i/c that didn't end"):
        found(file, "i/other")


def test_a_damaged_one_is_named(file):
    Journal(file).path.write_bytes(b"{")
    with pytest.raises(SourceError, match=r"file\.progress can't be read"):
        found(file)
    assert Journal(file).line() is None


def test_one_that_is_forgotten_is_gone(file):
    noted(file)
    Journal(file).forget()
    assert not Journal(file).path.exists()
    Journal(file).forget()


def test_a_file_is_imported_once_at_a_time(file):
    with opened(file), pytest.raises(SourceError, match="by another process"), opened(file):
        pass


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match="can't be read"), opened(tmp_path / "none"):
        pass
