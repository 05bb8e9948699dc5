"""Reading the CSV file of `trivium import`."""

import pytest

from trivium.cli.load import CsvError, read


def written(tmp_path, text: str):
    file = tmp_path / "fleet.csv"
    file.write_bytes(text.encode())
    return file


def test_rows_get_the_model_that_was_named(tmp_path):
    header, rows = read(written(tmp_path, "reference\nA\nB\n"), "Truck")
    assert header == ["model", "reference"]
    assert [(row.line, row.cells) for row in rows] == [(2, ["Truck", "A"]), (3, ["Truck", "B"])]


def test_a_file_that_names_models_keeps_them(tmp_path):
    header, rows = read(written(tmp_path, "reference,model\nA,Van\n"), None)
    assert (header, rows[0].cells) == (["reference", "model"], ["A", "Van"])


def test_rows_without_any_model_are_refused_with_the_way_out(tmp_path):
    with pytest.raises(CsvError, match="--model"):
        read(written(tmp_path, "reference\nA\n"), None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_are_divided_as_spreadsheets_do(tmp_path, delimiter):
    text = f"reference{delimiter}metadata.a\nA{delimiter}1\n"
    assert read(written(tmp_path, text), "Truck")[0] == ["model", "reference", "metadata.a"]


def test_empty_lines_are_passed_over_and_quoted_line_ends_counted(tmp_path):
    _, rows = read(written(tmp_path, 'reference\n\n"A\nB"\nC\n'), "Truck")
    assert [(row.line, row.cells[1]) for row in rows] == [(4, "A\nB"), (5, "C")]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    assert read(written(tmp_path, "\ufeffreference\nA\n"), "T")[0] == ["model", "reference"]


def test_a_quote_that_never_ends_is_refused(tmp_path):
    with pytest.raises(CsvError, match="can't be read"):
        read(written(tmp_path, 'reference\n"A\n'), "Truck")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CsvError, match=r"fleet\.csv can't be read"):
        read(tmp_path / "fleet.csv", "Truck")
