"""What the store in memory remembers of writes that are done once."""

from __future__ import annotations

import msgspec

from router.envelope import JsonObject
from router.errors import RouterError
from router.once import Once
from storage.contract import Written
from storage.merge import copied


class Done:
    """What was done under an idempotency key; kept for as long as the store."""

    def __init__(self, content: JsonObject, written: Written, fingerprint: str) -> None:
        self._content = copied(content)
        self._written = _apart(written)
        self.fingerprint = fingerprint
        self.answer: JsonObject | None = None

    def repeated(self, once: Once) -> Written:
        """The outcome, for a repeat. Raises: `idempotency_key_reused`."""
        if once.fingerprint != self.fingerprint:
            raise RouterError("api.process.idempotency_key_reused", once.key)
        return msgspec.structs.replace(_apart(self._written), repeats=copied(self._content))


def _apart(written: Written) -> Written:
    replaced = written.replaced
    return msgspec.structs.replace(
        written,
        source=copied(written.source),
        replaced=copied(replaced) if isinstance(replaced, dict) else replaced,
    )
