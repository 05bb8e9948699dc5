"""CSV text becomes assets row by row; a bad row is named and spoils no other."""

from __future__ import annotations

import pytest

from controllers.device_manager.rows import BadRow, Row, read
from router.errors import RouterError

MAPPING = {
    "n": {"type": "integer"},
    "x": {"type": "float"},
    "on": {"type": "boolean"},
    "when": {"type": "date"},
    "place": {"type": "geo_point"},
    "free": {"type": "object"},
    "deep": {"properties": {"er": {"type": "long"}}},
    "word": {"type": "keyword"},
}


def metadata_of(column: str, cell: str) -> object:
    (row,) = read(f"model,reference,metadata.{column}\nM,r,{cell}\n", MAPPING)
    return row.metadata if isinstance(row, Row) else row.reason


class TestColumns:
    def test_every_column_lands_in_its_field(self) -> None:
        text = "reference,_id,type,model,metadata.a.b\n1,x,t,M,deep\n"
        assert list(read(text, {})) == [Row(2, "M", "1", "t", "x", {"a": {"b": "deep"}})]

    def test_type_and_id_may_be_absent(self) -> None:
        assert list(read("model,reference\nM,1", {})) == [Row(2, "M", "1", None, None, {})]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_the_header_tells_the_delimiter(self, delimiter: str) -> None:
        text = delimiter.join(("model", "reference")) + "\n" + delimiter.join(("M", "1"))
        assert [row.line for row in read(text, {})] == [2]
        assert all(isinstance(row, Row) for row in read(text, {}))

    def test_a_byte_order_mark_and_spaces_in_the_header_are_passed_over(self) -> None:
        (row,) = read("\ufeffmodel, reference\r\nM,1\r\n", {})
        assert isinstance(row, Row)

    @pytest.mark.parametrize(
        ("head", "why"),
        [
            ("", "model is missing"),
            ("model", "reference is missing"),
            ("model,reference,colour", "colour"),
            ("model,reference,metadata.", "metadata."),
            ("model,reference,metadata.a..b", "a..b"),
            ("model,reference,model", "twice"),
            ("model,reference,metadata.a.b,metadata.a", "within another column"),
            ('model,reference,"metadata.a', "end of data"),
        ],
    )
    def test_a_header_that_makes_no_sense_is_refused(self, head: str, why: str) -> None:
        with pytest.raises(RouterError) as caught:
            read(head + "\nM,1\n" if '"' not in head else head, {})
        assert caught.value.id == "api.assert.invalid_argument"
        assert why in caught.value.message


class TestValues:
    @pytest.mark.parametrize(
        ("column", "cell", "value"),
        [
            ("n", "42", {"n": 42}),
            ("n", " -7 ", {"n": -7}),
            ("x", "4", {"x": 4.0}),
            ("x", "-1.5e3", {"x": -1500.0}),
            ("x", ".5", {"x": 0.5}),
            ("on", "True", {"on": True}),
            ("on", "0", {"on": False}),
            ("when", "1730000000000", {"when": 1730000000000}),
            ("when", "2026-01-01", {"when": "2026-01-01"}),
            ("place", '"1.5,2"', {"place": "1.5,2"}),
            ("place", '"{""lat"":1,""lon"":2}"', {"place": {"lat": 1, "lon": 2}}),
            ("place.lat", "1.5", {"place": {"lat": 1.5}}),
            ("free", '"[1,{}]"', {"free": [1, {}]}),
            ("deep", '"{""er"":1}"', {"deep": {"er": 1}}),
            ("deep.er", "9", {"deep": {"er": 9}}),
            ("word", "007", {"word": "007"}),
            ("unmapped", "42", {"unmapped": "42"}),
            ("deep.unmapped.more", "1", {"deep": {"unmapped": {"more": "1"}}}),
            ("n", "", {}),
        ],
    )
    def test_the_mapping_says_how_a_cell_is_read(
        self, column: str, cell: str, value: object
    ) -> None:
        assert metadata_of(column, cell) == value

    @pytest.mark.parametrize(
        ("column", "cell"),
        [
            ("n", "4.5"),
            ("n", "1_000"),
            ("n", "٣"),
            ("n", "9" * 20),
            ("x", "nan"),
            ("x", "1e999"),
            ("x", "four"),
            ("on", "yes"),
            ("free", "{"),
        ],
    )
    def test_a_cell_against_its_type_makes_a_bad_row(self, column: str, cell: str) -> None:
        reason = metadata_of(column, cell)
        assert isinstance(reason, str)
        assert reason.startswith(f"metadata.{column}: ")


class TestBadRows:
    def test_they_are_named_by_line_and_the_others_go_on(self) -> None:
        text = 'model,reference\nM,1\nM\nM,"two\nlines"\n\n,4\nM,\nM,5\n'
        found = list(read(text, {}))
        assert [(type(row), row.line) for row in found] == [
            (Row, 2),
            (BadRow, 3),
            (Row, 5),
            (BadRow, 7),
            (BadRow, 8),
            (Row, 9),
        ]
        assert [row.reason for row in found if isinstance(row, BadRow)] == [
            "has 1 cells where the header has 2",
            "has no model",
            "has no reference",
        ]

    def test_broken_quotes_spoil_their_row_only(self) -> None:
        found = list(read('model,reference\n"M"x,1\nM,2\n', {}))
        assert [type(row) for row in found] == [BadRow, Row]

    def test_a_cell_beyond_the_reader_is_a_bad_row(self) -> None:
        found = list(read(f"model,reference\nM,{'x' * 200_000}\nM,2\n", {}))
        assert [type(row) for row in found] == [BadRow, Row]
