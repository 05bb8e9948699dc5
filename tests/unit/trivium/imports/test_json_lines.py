"""Reading JSON lines from any of their beginnings."""

from __future__ import annotations

import io

import pytest

from trivium.imports import source
from trivium.imports.json_lines import entries, head
from trivium.imports.source import Broken, Entry, Mark

BEGIN = Mark()
EXPORT = b'{"type":"collection","index":"i","collection":"c"}\n'


def read(text: bytes, start: Mark = BEGIN, *, are_wrapped: bool = False) -> list[Entry | Broken]:
    return list(entries(io.BytesIO(text), start, are_wrapped=are_wrapped))


def documents(text: bytes, **more: bool) -> list[object]:
    return [each.document for each in read(text, **more) if isinstance(each, Entry)]


def reasons(text: bytes, **more: bool) -> list[tuple[int, str]]:
    found = read(text, **more)
    return [(each.start.line, each.reason) for each in found if isinstance(each, Broken)]


class TestTheHead:
    def test_of_an_export_says_where_it_belongs(self):
        found = head(io.BytesIO(EXPORT + b"{}\n"))
        assert (found.index, found.collection, found.has_line) == ("i", "c", True)
        assert found.start == Mark(len(EXPORT), 2)

    @pytest.mark.parametrize(
        "first", [b'{"_id":"a","body":{}}', b"", b"[", b'{"type":"collection"}']
    )
    def test_of_other_files_is_a_document_already(self, first):
        found = head(io.BytesIO(first + b"\n"))
        assert (found.start, found.has_line) == (Mark(), False)

    def test_may_stand_behind_a_byte_order_mark(self):
        assert head(io.BytesIO(b"\xef\xbb\xbf" + EXPORT)).has_line


class TestDocuments:
    def test_are_wrapped_as_an_export_has_them(self):
        text = b'{"_id":"a","body":{"n":1}}\n{"body":{}}'
        assert documents(text) == [{"_id": "a", "body": {"n": 1}}, {"body": {}}]

    def test_may_be_bare(self):
        assert documents(b'{"_id":"a","n":1}\n{"n":2}\n') == [
            {"_id": "a", "body": {"n": 1}},
            {"body": {"n": 2}},
        ]

    def test_with_a_body_and_more_are_documents_with_a_field_body(self):
        assert documents(b'{"_id":"a","body":{},"n":1}') == [
            {"_id": "a", "body": {"body": {}, "n": 1}}
        ]

    def test_can_be_read_from_every_mark_on(self):
        text = b'{"n":1}\n\n {"n":2}\n  \n{"n":3}'
        found = read(text)
        assert [each.start.line for each in found] == [1, 3, 5]
        for place, each in enumerate(found):
            assert read(text, each.end) == found[place + 1 :]


class TestBrokenLines:
    def test_are_named_and_the_others_read(self):
        text = b'{"n":1}\n{"n":\n[1]\n"x"\n\xff\n{"_id":5,"body":{}}\n{"n":2}\n'
        assert [line for line, _ in reasons(text)] == [2, 3, 4, 5, 6]
        assert len(documents(text)) == 2

    def test_of_an_export_are_all_that_have_no_body(self):
        text = b'{"_id":"a"}\n{"_id":"a","body":1}\n{"_id":"a","body":{},"x":1}\n'
        assert len(reasons(text, are_wrapped=True)) == 3

    def test_the_error_that_ended_an_export_is_no_document(self):
        ((_, reason),) = reasons(b'{"error":{"message":"gone"}}\n', are_wrapped=True)
        assert reason == "is the error that ended its export: gone"

    def test_that_are_too_long_are_passed_over(self, monkeypatch):
        monkeypatch.setattr(source, "MAX_LINE_BYTES", 100)
        text = b'{"n":1}\n{"n":"' + b"x" * 500 + b'"}\n{"n":2}\n'
        assert [line for line, _ in reasons(text)] == [2]
        assert len(documents(text)) == 2

    def test_nested_as_deep_as_it_goes_are_only_broken(self):
        assert len(reasons(b'{"n":' + b"[" * 100_000 + b"\n{}\n")) == 1
