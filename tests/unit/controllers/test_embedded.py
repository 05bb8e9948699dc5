"""JSON text within a request is read, or refused, and never breaks the reader."""

from __future__ import annotations

import pytest

from controllers import embedded


def test_json_text_gives_its_value() -> None:
    assert embedded.parse('{"a": [1, 2.5, null, "é"]}') == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize("text", ["", "{", "nope", "{'a': 1}", "NaN", "1 2", '"\ud800"'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        embedded.parse(text)


def test_nesting_is_bounded() -> None:
    deepest = "[" * embedded.MAX_DEPTH + "]" * embedded.MAX_DEPTH
    assert embedded.parse(deepest) is not None
    with pytest.raises(ValueError, match="nested"):
        embedded.parse(f'[{{"a":{deepest}}}]')


def test_nesting_beyond_the_parser_is_refused_too() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        embedded.parse("[" * 100_000 + "]" * 100_000)
