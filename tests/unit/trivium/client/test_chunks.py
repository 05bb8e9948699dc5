"""CSV text in pieces: nothing is lost, every line is found again."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from trivium.client.chunks import Chunk, Row, cut

HEADER = ["reference", "metadata.name"]
CELLS = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=9)


def read(chunk: Chunk) -> list[list[str]]:
    return list(csv.reader(io.StringIO(chunk.text, newline=""), strict=True))


def test_rows_that_fit_are_one_piece_with_the_header():
    chunks = list(cut(HEADER, [Row(2, ["a", "1"]), Row(3, ["b", "2"])], 1000))
    assert [read(chunk) for chunk in chunks] == [[HEADER, ["a", "1"], ["b", "2"]]]
    assert chunks[0].rows == 2


def test_no_rows_are_no_piece():
    assert list(cut(HEADER, [], 1000)) == []


def test_a_row_that_is_too_long_is_a_piece_of_its_own():
    rows = [Row(2, ["a", "1"]), Row(3, ["b", "x" * 500]), Row(4, ["c", "3"])]
    assert [chunk.rows for chunk in cut(HEADER, rows, 100)] == [1, 1, 1]


def test_bytes_count_and_not_characters():
    rows = [Row(line, ["é" * 10, ""]) for line in range(2, 12)]
    assert all(len(chunk.text.encode()) <= 120 for chunk in cut(HEADER, rows, 120))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=30), st.integers(30, 200))
def test_the_pieces_hold_every_row_once_in_order(cells, max_bytes):
    rows = [Row(line, row) for line, row in enumerate(cells, start=2)]
    chunks = list(cut(HEADER, rows, max_bytes))
    assert [tuple(row) for chunk in chunks for row in read(chunk)[1:]] == cells
    assert all(read(chunk)[0] == HEADER for chunk in chunks)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=30), st.integers(30, 200))
def test_each_row_of_a_piece_leads_back_to_its_line_in_the_file(cells, max_bytes):
    rows = [Row(line * 10, row) for line, row in enumerate(cells)]
    found = []
    for chunk in cut(HEADER, rows, max_bytes):
        reader = csv.reader(io.StringIO(chunk.text, newline=""), strict=True)
        next(reader)
        found += [chunk.origin[reader.line_num] for _ in reader]
    assert found == [row.line for row in rows]
