"""The shorthand in which the action table says what an action answers, as JSON Schema."""

from __future__ import annotations

import re
from typing import Final

from router.envelope import Json, JsonObject

_TOKEN: Final = re.compile(r'\s*(?:(…|[{}\[\],:?|]|"[^"]*"|<[^>]*>|[A-Za-z_][\w-]*))')

_KNOWN: Final[dict[str, JsonObject]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "object": {"type": "object"},
    "null": {"type": "null"},
    "true": {"const": True},
    "false": {"const": False},
    "name": {"type": "string"},
    "id": {"type": "string"},
    "_id": {"type": "string"},
    "_version": {"type": "integer", "minimum": 1},
    "_source": {"type": "object"},
    "created": {"type": "boolean"},
    "count": {"type": "integer"},
    "total": {"type": "integer"},
    "fetched": {"type": "integer"},
    "remaining": {"type": "integer"},
    "status": {"type": ["integer", "string"]},
    "index": {"type": "string"},
    "collection": {"type": "string"},
    "controller": {"type": "string"},
    "action": {"type": "string"},
    "kuid": {"type": "string"},
    "jwt": {"type": "string"},
    "token": {"type": "string"},
    "roomId": {"type": "string"},
    "channel": {"type": "string"},
    "scrollId": {"type": "string"},
    "reason": {"type": "string"},
    "strategies": {"type": "array", "items": {"type": "string"}},
    "hits": {"type": "array"},
    "errors": {"type": "array"},
    "successes": {"type": "array"},
    "expiresAt": {"type": "integer"},
    "ttl": {"type": "integer"},
}
"""What a name stands for where the shorthand says no more about it."""


class ShapeError(ValueError):
    """A text of the action table that is no shorthand."""


def schema_of(result: str) -> JsonObject:
    """The JSON Schema of an action's result.

    Args:
        result: As `router.actions.Action.result` has it: Markdown whose first code spans, joined
            by `or`, are shapes (`` `{_id, total: integer, more?}` ``); or `boolean`, `null`,
            `Array of names.`; empty where the answer has no result.

    Raises:
        ShapeError: A code span that is none.
    """
    text = result.strip()
    if not text:
        return {"description": "No result."}
    plain = text.split(" ", 1)[0].strip("`,;.")
    if plain in ("boolean", "null"):
        return {**_KNOWN[plain], "description": text}
    if text.startswith("Array of"):
        return {"type": "array", "description": text}
    spans = re.findall(r"`([^`]*)`", text) if text.startswith("`") else []
    if not spans:
        return {"description": text}
    alternatives = [spans[0]]
    head = text
    for span in spans[1:]:
        head = head.partition("`")[2].partition("`")[2]
        if head.split("`", 1)[0].strip() != "or":
            break
        alternatives.append(span)
    schemas: list[Json] = [parse(each) for each in alternatives]
    found = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {**(found if isinstance(found, dict) else {}), "description": text}


def parse(shape: str) -> JsonObject:
    """The JSON Schema of one shape. Raises: ShapeError."""
    reader = _Reader(shape)
    schema = reader.union()
    reader.finish()
    return schema


class _Reader:
    """Reads one shape, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "", text):
            raise ShapeError(f"{text}: not a shape")
        self._at = 0

    def union(self) -> JsonObject:
        """One value, or several divided by bars."""
        found: list[Json] = [self._value()]
        while self._take("|"):
            found.append(self._value())
        first = found[0]
        return {"anyOf": found} if len(found) > 1 else first if isinstance(first, dict) else {}

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self._peek():
            raise ShapeError(f"{self._text}: unexpected {self._peek()}")

    def _value(self) -> JsonObject:
        token = self._next()
        if token == "{":
            return self._object()
        if token == "[":
            if self._take("]"):
                return {"type": "array"}
            items = self.union()
            self._expect("]")
            return {"type": "array", "items": items}
        if token.startswith('"'):
            return {"const": token[1:-1]}
        if token in "}],:?|…":
            raise ShapeError(f"{self._text}: unexpected {token}")
        return dict(_KNOWN.get(token, {}))

    def _object(self) -> JsonObject:
        properties: JsonObject = {}
        required: list[Json] = []
        others: JsonObject | None = None
        while not self._take("}"):
            name = self._next()
            is_optional = self._take("?")
            schema = self.union() if self._take(":") else dict(_KNOWN.get(name, {}))
            if name.startswith("<"):
                others = schema
            elif name != "…":
                properties[name] = schema
                required += [] if is_optional else [name]
            if not self._take(",") and self._peek() != "}":
                raise ShapeError(f"{self._text}: a comma is missing before {self._peek()}")
        found: JsonObject = {"type": "object"}
        if properties:
            found["properties"] = properties
        if required:
            found["required"] = required
        return found if others is None else {**found, "additionalProperties": others}

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise ShapeError(f"{self._text}: ends too early")
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ShapeError(f"{self._text}: {token} is missing")
