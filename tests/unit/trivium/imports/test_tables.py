"""Reading CSV: rows from any of their beginnings, cells by the mapping."""

from __future__ import annotations

import io
from typing import Any

import pytest

from trivium.imports import tables
from trivium.imports.source import Broken, Cells, Entry, Mark, SourceError

BEGIN = Mark()
MAPPING: Any = {
    "n": {"type": "integer"},
    "t": {"type": "text"},
    "is": {"type": "boolean"},
    "at": {"type": "date"},
    "deep": {"properties": {"x": {"type": "double"}}},
}


class Named(io.BytesIO):
    name = "fleet.csv"


def rows(text: bytes, start: Mark = BEGIN) -> list[Cells | Broken]:
    return list(tables.rows(io.BytesIO(text), ",", start))


def cells(text: bytes) -> list[list[str]]:
    return [row.cells for row in rows(text) if isinstance(row, Cells)]


def documents(text: str) -> list[Any]:
    file = Named(text.encode())
    found = tables.table(file)
    read = tables.reading(found, MAPPING)
    made = [read(row) for row in tables.rows(file, found.delimiter, found.start)]  # type: ignore[arg-type]
    return [each.document if isinstance(each, Entry) else each.reason for each in made]


class TestRows:
    def test_are_marked_where_they_begin_and_end(self):
        text = b'a,b\n\n"c\nd",e\nf,g'
        found = rows(text)
        assert [row.start.line for row in found] == [1, 3, 5]
        assert cells(text)[1] == ["c\nd", "e"]
        for place, row in enumerate(found):
            assert rows(text, row.end) == found[place + 1 :]

    def test_behind_a_quote_that_never_ends_are_read(self):
        found = rows(b'a,b\nc,"d\ne,f\ng,h\n')
        assert [type(row) for row in found] == [Cells, Broken, Cells, Cells]
        assert found[1].start.line == 2
        assert found[3] == Cells(Mark(13, 4), Mark(17, 5), ["g", "h"])

    def test_that_are_not_utf_8_are_broken_alone(self):
        found = rows(b"a\n\xff\nb\n")
        assert [type(row) for row in found] == [Cells, Broken, Cells]

    def test_have_no_byte_order_mark(self):
        assert cells("\ufeffa\nb\n".encode()) == [["a"], ["b"]]


class TestTheHeader:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_says_how_the_file_is_divided(self, delimiter):
        found = tables.table(Named(f"a{delimiter}b\n1{delimiter}2\n".encode()))
        assert (found.delimiter, found.header, found.start.line) == (delimiter, ["a", "b"], 2)

    @pytest.mark.parametrize("text", [b"", b"\n\n", b"\xff\n", b'"a\n'])
    def test_must_be_there(self, text):
        with pytest.raises(SourceError, match=r"fleet\.csv"):
            tables.table(Named(text))

    @pytest.mark.parametrize("header", ["a,a", "a,a.b", "a,.b", "a,,b"])
    def test_that_contradicts_itself_is_refused(self, header):
        with pytest.raises(SourceError, match="column"):
            documents(f"{header}\n1,2\n")


class TestCells:
    def test_are_read_as_their_fields_are_mapped(self):
        (found,) = documents("_id,n,t,is,at,deep.x\na,1,2,true,1700000000000,2\n")
        body = {"n": 1, "t": "2", "is": True, "at": 1700000000000, "deep": {"x": 2.0}}
        assert found == {"_id": "a", "body": body}

    def test_that_nothing_maps_are_what_they_look_like(self):
        (found,) = documents("a,b,c,d,e\n12,007,true,1e3,{x\n")
        assert found == {"body": {"a": 12, "b": "007", "c": True, "d": 1000.0, "e": "{x"}}

    def test_may_hold_arrays_and_objects(self):
        assert documents('n,b\n"[1,2]","{""c"":1}"\n') == [{"body": {"n": [1, 2], "b": {"c": 1}}}]

    def test_that_are_empty_leave_the_field_out(self):
        assert documents("_id,n,t\n,,\n") == [{"body": {}}]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("high,x", 'n: "high" is not a whole number'),
            ("1", "has 1 cells where the header has 2"),
            ("1,2,3", "has 3 cells where the header has 2"),
            ("1,[OBJECT]", "export JSON lines instead"),
        ],
    )
    def test_that_do_not_fit_break_the_row_alone(self, row, reason):
        first, second = documents(f"n,place\n{row}\n1,x\n")
        assert reason in first
        assert second == {"body": {"n": 1, "place": "x"}}
