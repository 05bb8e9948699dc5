"""Which HTTP request an action becomes, by the router's public API."""

import pytest

from trivium.client.routes import HttpRequest, NoRouteError, choose

API = {
    "document": {
        "update": {
            "http": [
                {"verb": "PUT", "path": "/:index/:collection/:_id/_update"},
                {"verb": "PATCH", "path": "/:index/:collection/:_id/_update"},
            ]
        },
        "create": {
            "http": [
                {"verb": "POST", "path": "/:index/:collection/:_id/_create"},
                {"verb": "POST", "path": "/:index/:collection/_create"},
            ]
        },
        "hidden": {},
    }
}
AT = {"controller": "document", "index": "i", "collection": "c"}


def test_the_path_takes_its_parameters_and_the_query_the_rest():
    request = {**AT, "action": "update", "_id": "a1", "refresh": "wait_for", "body": {"x": 1}}
    assert choose(request, API) == HttpRequest("PUT", "/i/c/a1/_update?refresh=wait_for", {"x": 1})


def test_the_shortest_path_wins_and_the_id_goes_into_the_query():
    request = {**AT, "action": "create", "_id": "a1", "body": {}}
    assert choose(request, API).target == "/i/c/_create?_id=a1"


def test_parameters_are_escaped():
    request = {**AT, "action": "update", "_id": "a/b c?", "body": None}
    assert choose(request, API).target == "/i/c/a%2Fb%20c%3F/_update"


def test_a_flag_that_is_off_is_left_out_since_its_presence_counts():
    request = {**AT, "action": "update", "_id": "a", "source": True, "silent": False, "body": None}
    assert choose(request, API).target == "/i/c/a/_update?source=true"


def test_lists_and_objects_travel_as_json():
    request = {**AT, "action": "update", "_id": "a", "ids": ["x", "y"], "body": None}
    assert choose(request, API).target == "/i/c/a/_update?ids=%5B%22x%22%2C%22y%22%5D"


def test_the_envelope_stays_out_of_the_query():
    request = {**AT, "action": "update", "_id": "a", "requestId": "r", "jwt": "t", "body": None}
    assert choose(request, API).target == "/i/c/a/_update"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({**AT, "action": "nothing"}, 'No URL found for "document:nothing".'),
        ({**AT, "action": "hidden"}, 'No URL found for "document:hidden".'),
        ({"controller": "none", "action": "x"}, 'No URL found for "none:x".'),
        ({**AT, "action": "update"}, 'Missing URL param "_id"'),
    ],
)
def test_what_cannot_be_reached_says_why(request_, reason):
    with pytest.raises(NoRouteError, match=reason):
        choose({**request_, "body": None}, API)
