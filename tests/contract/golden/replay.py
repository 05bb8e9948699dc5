"""Compares answers with recorded ones: ids, codes, statuses, names and types, not values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract.golden.differences import OURS_ALONE

HERE = Path(__file__).parent / "exchanges"


def exchanges(name: str) -> list[dict[str, Any]]:
    """The recorded exchanges of one file, in order."""
    recorded: list[dict[str, Any]] = json.loads((HERE / f"{name}.json").read_text())["exchanges"]
    return recorded


class OurTokens:
    """The tokens that we give out, each in the place of the one that the peer gave out."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}

    def put(self, recorded: str, ours: str) -> None:
        """Take one for the other from now on."""
        self._ours[recorded] = ours

    def learn(self, recorded: Any, answered: Any) -> None:
        """Put what a log-in gave; does nothing with any other answer."""
        result = recorded.get("result")
        if isinstance(result, dict) and "jwt" in result:
            self.put(result["jwt"], answered["result"]["jwt"])

    def inside(self, sent: str) -> str:
        """A recorded request as it has to be sent to us."""
        for recorded, ours in self._ours.items():
            sent = sent.replace(recorded, ours)
        return sent


def differences(recorded: Any, answered: Any) -> list[str]:
    """What a client of the peer would notice, one line each."""
    if not isinstance(recorded, dict) or not isinstance(answered, dict):
        return _shapes(recorded, answered, "")
    found = [
        f"{key}: {_error(recorded).get(key)!r} became {_error(answered).get(key)!r}"
        for key in ("id", "code", "status")
        if _error(recorded).get(key) != _error(answered).get(key)
    ]
    if recorded.get("status") != answered.get("status"):
        found.append(f"status {recorded.get('status')} became {answered.get('status')}")
    bare = {key: value for key, value in recorded.items() if key != "error"}
    ours = {key: value for key, value in answered.items() if key != "error"}
    return found + _shapes(bare, ours, "")


def _error(envelope: dict[str, Any]) -> dict[str, Any]:
    error = envelope.get("error")
    return error if isinstance(error, dict) else {}


def _shapes(recorded: Any, answered: Any, path: str) -> list[str]:
    if recorded is None or answered is None:
        # Null is a value of every type; only results insist on it.
        return [] if path != "result" or recorded is answered else [f"{path}: null or not"]
    if isinstance(recorded, dict) and isinstance(answered, dict):
        found = [f"{path}.{key} is missing" for key in recorded.keys() - answered.keys()]
        extra = answered.keys() - recorded.keys() - OURS_ALONE
        found += [f"{path}.{key} is new" for key in extra]
        for key in recorded.keys() & answered.keys():
            found += _shapes(recorded[key], answered[key], f"{path}.{key}".lstrip("."))
        return found
    if isinstance(recorded, list) and isinstance(answered, list):
        if not recorded or not answered:
            return [] if len(recorded) == len(answered) else [f"{path}: empty or not"]
        return _shapes(recorded[0], answered[0], f"{path}[0]")
    kinds = (_kind(recorded), _kind(answered))
    return [] if kinds[0] == kinds[1] else [f"{path}: {kinds[0]} became {kinds[1]}"]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__
