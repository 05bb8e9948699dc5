"""Which word of a command line means what: the argv matrix of Kourou 1.2."""

import pytest

from trivium.cli.inference import Given, Inferred, UsageError, infer, request_of

BODY = '{"metadata":{"x":1}}'


def inferred(words: list[str], **flags: str) -> Inferred:
    return infer(["device-manager/asset:update", *words], Given(**flags))


def of(index=None, collection=None, id=None, body=None) -> Inferred:
    return Inferred(
        controller="device-manager/asset",
        action="update",
        index=index,
        collection=collection,
        id=id,
        body=body,
    )


class TestPlaces:
    @pytest.mark.parametrize(
        ("words", "flags", "expected"),
        [
            ([], {}, of()),
            (["i"], {}, of("i")),
            (["i", "c"], {}, of("i", "c")),
            (["i", "c", "a1"], {}, of("i", "c", "a1")),
            (["i", "c", "a1", BODY], {}, of("i", "c", "a1", BODY)),
            ([BODY], {}, of(body=BODY)),
            (["i", "c", BODY], {}, of("i", "c", body=BODY)),
            (["i"], {"id": "a1", "body": BODY}, of("i", id="a1", body=BODY)),
            (["i", "c", BODY], {"id": "a1"}, of("i", "c", "a1", BODY)),
            (["c"], {"index": "i"}, of("i", "c")),
            (["i", "a1"], {"collection": "c"}, of("i", "c", "a1")),
        ],
    )
    def test_each_word_takes_the_next_place(self, words, flags, expected):
        assert inferred(words, **flags) == expected

    def test_the_second_place_is_the_collection_even_for_json(self):
        assert inferred(["i", "{query:{}}"]) == of("i", "{query:{}}")

    def test_json_in_the_first_place_is_the_index_once_a_body_was_given(self):
        assert inferred(["{i}"], body=BODY) == of("{i}", body=BODY)

    def test_one_word_too_many_is_named(self):
        with pytest.raises(UsageError, match="Unexpected argument: more"):
            inferred(["i", "c", "a1", BODY, "more"])

    def test_the_controller_is_all_before_the_first_colon(self):
        found = infer(["a/b:c:d"], Given())
        assert (found.controller, found.action) == ("a/b", "c:d")

    @pytest.mark.parametrize("word", ["nope", ":update", "document:", ""])
    def test_without_controller_and_action_there_is_nothing_to_call(self, word):
        with pytest.raises(UsageError):
            infer([word], Given())


class TestRequest:
    def request(self, *arguments: str, as_text: bool = False) -> dict:
        given = Given(arguments=arguments)
        return request_of(of("i", "c", "a1"), given, {"x": 1}, as_text=as_text)

    def test_it_names_what_was_inferred(self):
        assert self.request() == {
            "controller": "device-manager/asset",
            "action": "update",
            "index": "i",
            "collection": "c",
            "_id": "a1",
            "body": {"x": 1},
        }

    def test_what_was_not_given_is_left_out(self):
        assert request_of(of(), Given(), None, as_text=False) == {
            "controller": "device-manager/asset",
            "action": "update",
            "body": None,
        }

    def test_an_argument_is_cut_at_the_first_equals_sign(self):
        assert self.request("filter=a=b")["filter"] == "a=b"

    def test_a_dotted_name_stays_one_key(self):
        assert self.request("a.b=1")["a.b"] == "1"

    def test_arguments_overrule_places_but_not_the_body(self):
        request = self.request("index=j", "action=get", "body=no")
        assert (request["index"], request["action"], request["body"]) == ("j", "get", {"x": 1})

    def test_switches_are_booleans_where_the_wire_has_them(self):
        assert self.request("source=true", "silent=false")["source"] is True
        assert self.request("source=true", "silent=false")["silent"] is False
        assert self.request("source=true", as_text=True)["source"] == "true"

    @pytest.mark.parametrize("argument", ["novalue", "=1"])
    def test_an_argument_without_name_or_value_is_refused(self, argument):
        with pytest.raises(UsageError, match="name=value"):
            self.request(argument)
