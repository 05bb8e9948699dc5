"""An entry is one line of canonical JSON that carries its own hash."""

from __future__ import annotations

import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from access.audit.entry import EMPTY, MAX_TEXT, Anchor, Head, own, seal, text, unseal
from tests.support.audits import entry

TEXTS = st.text(max_size=20)


@given(id=TEXTS, index=TEXTS, client=TEXTS, seq=st.integers(0, 2**40))
def test_a_line_gives_back_what_was_sealed(id: str, index: str, client: str, seq: int) -> None:
    head = Head(seq, "ab" * 32, 0)
    line, after = seal(entry(id=id, index=index, client=client), head)
    sealed = unseal(line)
    assert sealed is not None
    assert sealed.claimed == sealed.hash == after.hash
    assert (sealed.entry.id, sealed.entry.index, sealed.entry.client) == (id, index, client)
    assert (sealed.entry.seq, sealed.entry.prev) == (seq + 1, head.hash)
    assert line.count(b"\n") == 1


def test_the_hash_is_that_of_the_canonical_json_of_everything_else() -> None:
    line, _ = seal(entry(id="Überland"), EMPTY)
    content = json.loads(line)
    claimed = content.pop("hash")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(canonical.encode()).hexdigest() == claimed


def test_the_routers_own_entries_are_canonical_too() -> None:
    line, _ = seal(own("pruned", at=1, anchor=Anchor("00" * 32, 7), count=2), EMPTY)
    content = json.loads(line)
    content.pop("hash")
    assert list(content) == sorted(content)
    assert list(content["anchor"]) == ["hash", "seq"]


def test_texts_are_cut_and_always_sayable() -> None:
    assert text("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert text("x" * (MAX_TEXT + 1)) == "x" * (MAX_TEXT - 1) + "…"
    assert text("a\udc80b") == "a?b"
    assert [text(it) for it in (None, 3, ["x"], {"a": 1})] == [None] * 4


def test_what_is_no_entry_is_none() -> None:
    line, _ = seal(entry(), EMPTY)
    others = [b"", b"\n", b"{}\n", line[:-2], line.replace(b'"at":', b'"at":"x",'), b'["a"]\n']
    assert [unseal(it) for it in others] == [None] * len(others)
