"""Whether a user has the right to a request that it doesn't make, or to a topic."""

from __future__ import annotations

from typing import Final

import msgspec

from access import topic_filters
from access.directory import Account
from access.topic_filters import Asker, Verb
from router import topics
from router.actions import ActionTable, Argument
from router.envelope import Request
from router.errors import RouterError

_NOT_ARGUMENTS: Final = frozenset({"controller", "action", "body", "volatile", "jwt", "requestId"})

MIGHT: Final = (
    Argument("controller", "string", "Of the request.", True, "body"),
    Argument("action", "string", "Of the request.", True, "body"),
    Argument(
        "topic",
        "string",
        "With the controller `mqtt`: the topic to `publish` on, the filter to `subscribe` to.",
        place="body",
    ),
    Argument(
        "clientId",
        "string",
        "With the controller `mqtt`: what the client calls itself, where a role asks for that.",
        place="body",
    ),
)
"""What the body of the question holds, beside the arguments of the request."""


def might(table: ActionTable, account: Account, request: Request) -> bool:
    """Whether a user has the right to the request that another request's body holds; with the
    controller `mqtt`, to a topic, or to any topic at all where it names none.

    Raises:
        RouterError: `api.assert.missing_argument`, `api.assert.body_required`…;
            `api.assert.invalid_argument` for what is no topic.
    """
    controller, name = request.body_name("controller"), request.body_name("action")
    for verb in topic_filters.VERBS:
        if (controller, name) == (topic_filters.CONTROLLER, verb):
            return _might_use(account, verb, request)
    payload = request.body_object()
    body = payload.get("body")
    asked_for = msgspec.structs.replace(
        request,
        controller=controller,
        action=name,
        args={key: value for key, value in payload.items() if key not in _NOT_ARGUMENTS},
        body=body if isinstance(body, dict | list) else None,
    )
    action = table.find_or_absent(controller, name)
    return account.rights.allows(action, action.places(asked_for))


def _might_use(account: Account, verb: Verb, request: Request) -> bool:
    topic = request.body_string("topic", None)
    client_id = request.body_string("clientId", None) or ""
    filters = account.rights.topics(verb, Asker(account.id, client_id))
    if topic is None:
        return bool(filters)
    bare = _bare(verb, topic)
    return any(topics.covers(each, bare) for each in filters)


def _bare(verb: Verb, topic: str) -> str:
    # The topic without the group that shares it.
    if verb == "publish" and topics.is_name(topic):
        return topic
    if verb == "subscribe" and topics.is_shared_filter(topic):
        return topics.shared_parts(topic)[1]
    if verb == "subscribe" and topics.is_filter(topic) and not topics.is_shared(topic):
        return topic
    expected = "a topic" if verb == "publish" else "a topic filter"
    raise RouterError("api.assert.invalid_argument", "body.topic", expected)
