"""Words as OpenSearch's standard analyzer has them (each case was asked of it)."""

from __future__ import annotations

import pytest

from storage.words import MAX_WORD, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("a:b", ["a:b"]),
        ("foo.bar a.b.c 1.5 1,000 x_y_z", ["foo.bar", "a.b.c", "1.5", "1,000", "x_y_z"]),
        ("it's O'Neil", ["it's", "o'neil"]),
        ("wi-fi", ["wi", "fi"]),
        ("__ _a_", ["_a_"]),
        ("x2y 3d 4,5a", ["x2y", "3d", "4,5a"]),
        ("'a' a..b 1.2.3", ["a", "a", "b", "1.2.3"]),
        ("a;b 1;2 a,b", ["a", "b", "1;2", "a", "b"]),
        ("日本語 ひらがな カタカナ", ["日", "本", "語", "ひ", "ら", "が", "な", "カタカナ"]),
        ("ภาษาไทย", ["ภาษาไทย"]),
        ("한국어 abc한", ["한국어", "abc한"]),
        ("😀 👍🏽 1️⃣ 🇫🇷🇩🇪", ["😀", "👍🏽", "1️⃣", "🇫🇷", "🇩🇪"]),
        ("a\u03a3", ["a\u03c3"]),
        ("\u0130", ["i"]),
        ('שלום ג"ם', ["שלום", 'ג"ם']),
        ("ﬁ Ⅻ ½ ² ª", ["ﬁ", "ⅻ", "ª"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_a_long_word_is_cut() -> None:
    assert [len(word) for word in words_of("x" * 600)] == [MAX_WORD, MAX_WORD, 90]
    assert [len(word) for word in words_of("é" * 256)] == [MAX_WORD, 1]
