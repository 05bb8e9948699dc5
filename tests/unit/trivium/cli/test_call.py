"""What `trivium call` reads and shows; the way over the wires is tested with the program."""

import io

import pytest

from trivium.cli.call import BodyError, read_body, select

ANSWER = {"status": 200, "result": {"hits": [{"_id": "a"}, {"_id": "b"}]}}


class TestBody:
    def test_none_is_none(self):
        assert read_body(None) is None

    def test_it_is_json(self):
        assert read_body('{"a": [1]}') == {"a": [1]}
        assert read_body("[1]") == [1]

    def test_a_file_is_named_by_an_at_sign(self, tmp_path):
        file = tmp_path / "body.json"
        file.write_text('{"a": 1}')
        assert read_body(f"@{file}") == {"a": 1}

    def test_a_dash_is_standard_input(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 1}'))
        assert read_body("-") == {"a": 1}

    @pytest.mark.parametrize("text", ["", "{a: 1}", "1", '"text"', "null", "@/no/such/file"])
    def test_anything_else_is_refused_in_one_line(self, text):
        with pytest.raises(BodyError) as refused:
            read_body(text)
        assert "\n" not in str(refused.value)


class TestSelect:
    @pytest.mark.parametrize(
        ("path", "part"),
        [
            ("", ANSWER),
            ("status", 200),
            ("result.hits.1._id", "b"),
            ("result.hits.2._id", None),
            ("result.nothing", None),
            ("status.deeper", None),
        ],
    )
    def test_a_dotted_path_names_a_part(self, path, part):
        assert select(ANSWER, path) == part
