"""Patterns: what they fit, what is refused, and that none takes for ever."""

from __future__ import annotations

import time

import pytest

from storage.patterns import MAX_LENGTH, behind, fits, regexp, wildcard, wildcard_start
from tests.support.stores import refused


@pytest.mark.parametrize(
    ("pattern", "text", "is_fit"),
    [
        ("a*", "abc", True),
        ("a*", "ba", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("*", "x\ny", True),
        ("a.c", "abc", False),
        ("\\", "\\", True),
    ],
)
def test_wildcards(pattern: str, text: str, is_fit: bool) -> None:
    assert fits(wildcard(pattern), text) == is_fit


@pytest.mark.parametrize(
    ("pattern", "text", "is_fit"),
    [
        ("a.c", "abc", True),
        ("a.c", "xabc", False),
        ("a|bc", "bc", True),
        ("^a$", "a", False),
        ("^a$", "^a$", True),
        (".", "\n", True),
        ("\\.", "x", False),
        ("[^a-c]{2}", "xy", True),
        ("\\s", "\f", False),
        ("a,b", "a,b", True),
        ("", "", True),
    ],
)
def test_regular_expressions(pattern: str, text: str, is_fit: bool) -> None:
    assert fits(regexp(pattern), text) == is_fit


@pytest.mark.parametrize("pattern", ["[", "(a", "a)", "a{3,2}", "\\", "a" * (MAX_LENGTH + 1)])
def test_what_is_no_expression(pattern: str) -> None:
    with refused("services.storage.unexpected_bad_request"):
        regexp(pattern)


def test_an_expression_that_explodes_when_compiled() -> None:
    with refused("services.storage.unexpected_bad_request"):
        regexp("((((x{99}){99}){99}){99})")


def test_no_expression_explodes_when_matched() -> None:
    text = "a" * 30_000
    started = time.process_time()
    assert not fits(regexp("(a|a)*(a|aa)*(a*)*b".replace("*)*", ")*")), text)
    assert not fits(wildcard("*a" * 400 + "b"), text)
    assert time.process_time() - started < 20  # of a backtracking engine: the age of the world


def test_what_lies_behind_a_start() -> None:
    assert wildcard_start("ab\\*c*d") == "ab*c"
    assert behind("ab") == "ac"
    assert behind("a\U0010ffff") == "b"
    assert behind("\U0010ffff") is None
    assert behind("\ud7ff") == "\ue000"
