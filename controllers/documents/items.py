"""The documents that one request brings, each read by itself, and the outcomes of all."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from controllers import embedded
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError

Form: TypeAlias = Literal["body", "changes"]
"""How a document is sent: `{_id, body}`, or `{_id, changes, default?}`."""

_KEYS: Final[dict[Form, tuple[str, ...]]] = {
    "body": ("_id", "body"),
    "changes": ("_id", "changes", "default"),
}
# The peer's words; its command line shows them.
_REASONS: Final = {
    "services.storage.document_already_exists": "document already exists",
    "services.storage.not_found": "document not found",
}


class Item(NamedTuple):
    """One document to write; `sent` is what an error shows of it, `id` None if it has none."""

    sent: JsonObject
    id: str | None
    content: JsonObject
    default: JsonObject | None


class Items(NamedTuple):
    """What is to be written, and the errors of what can't be."""

    good: list[Item]
    errors: list[Json]


def read(request: Request, form: Form, *, needs_id: bool) -> Items:
    """The documents of `body.documents`.

    Raises:
        RouterError: `api.assert.*`: there are none, or one has its content in `_source`.
    """
    items = Items([], [])
    for place, document in enumerate(request.body_list("documents")):
        sent = _sent(document, form, place)
        reason = _fault(sent, form, needs_id=needs_id)
        if reason is None:
            items.good.append(_item(sent, form))
        else:
            items.errors.append({"document": sent, "reason": reason, "status": 400})
    return items


def ids(request: Request) -> list[str]:
    """The ids in `body.ids` or, without a body, in the argument `ids`: an array, or text that is
    one in JSON or divided by commas.

    Raises:
        RouterError: `api.assert.missing_argument`, `api.assert.invalid_type`.
    """
    is_body = isinstance(request.body, dict) and bool(request.body)
    value: Json = request.body_list("ids") if is_body else request.args.get("ids")
    if value is None:
        raise RouterError("api.assert.missing_argument", "ids")
    if isinstance(value, str):
        value = _divided(value)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RouterError("api.assert.invalid_type", "ids", "array of strings")
    return [each for each in value if isinstance(each, str)]


def refused(item: Item, error: RouterError) -> JsonObject:
    """The error of one document."""
    return {"document": item.sent, "reason": reason(error), "status": error.status}


def reason(error: RouterError) -> str:
    """Why one document of many failed, in a few words."""
    return _REASONS.get(error.id, error.message)


def answered(
    action: str, successes: list[Json], errors: list[Json], *, is_strict: bool
) -> JsonObject:
    """The result of an action on many documents.

    Raises:
        RouterError: `api.process.incomplete_multiple_request`, if strict, with all errors.
    """
    if is_strict and errors:
        raise RouterError(
            "api.process.incomplete_multiple_request", action, errors=errors, count=len(errors)
        )
    return {"successes": successes, "errors": errors}


def _sent(document: Json, form: Form, place: int) -> JsonObject:
    if not isinstance(document, dict):
        return {}
    if "_source" in document and form not in document:
        name = f"documents[{place}]"
        raise RouterError("api.assert.unexpected_argument", f"{name}._source", f"{name}.{form}")
    return {key: document[key] for key in _KEYS[form] if key in document}


def _fault(sent: JsonObject, form: Form, *, needs_id: bool) -> str | None:
    if not isinstance(sent.get(form), dict):
        return f"document {form} must be an object"
    if not isinstance(sent.get("default", {}), dict | None):
        return "document default must be an object"
    key = sent.get("_id")
    if not isinstance(key, str) and (needs_id or key is not None):
        return "document _id must be a string"
    if needs_id and not key:
        return "document _id must be a string"
    return None


def _item(sent: JsonObject, form: Form) -> Item:
    key, content, default = sent.get("_id"), sent.get(form), sent.get("default")
    return Item(
        sent,
        key if isinstance(key, str) and key else None,
        content if isinstance(content, dict) else {},
        default if isinstance(default, dict) else None,
    )


def _divided(text: str) -> Json:
    if not text.startswith("["):
        return [each.strip() for each in text.split(",") if each.strip()]
    try:
        return embedded.parse(text)
    except ValueError:
        return None
