"""Which requests are audited."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["security", "writes", "all"]

SENSITIVE: Final = frozenset({"security", "auth", "admin"})
"""Controllers of which every request is audited."""

# Errors by which a caller is kept out, whatever it asked for: by rights, token or origin, or
# since a login failed.
_KEEPING_OUT: Final = re.compile(
    r"security\.(rights|token|cookie)\..*|trivium\.origin\..*|plugin\.strategy\.missing_user"
    r"|api\.process\.(unauthorized_origin|too_many_logins_requests)"
)

# Names of actions that only read begin like this, here as in the peer's API. What an
# application adds counts as writing unless it is called so, too.
_READING: Final = re.compile(
    r"(get|mGet|search|mSearch|list|exists|mExists|count|scroll|export|check|validate|has|is|are|now|info"
    r"|describe|metrics|stats|healthCheck|publicApi|openapi|adminExists|credentialsExist)"
    r"(?![a-z]).*"
)


def keeps_out(error: str | None) -> bool:
    """Whether an error says that the caller may not ask, rather than how it ended."""
    return error is not None and _KEEPING_OUT.fullmatch(error) is not None


def reads(action: str) -> bool:
    """Whether an action of this name changes nothing."""
    return _READING.fullmatch(action) is not None


class Selection:
    """Says of each request whether it is audited; what it has found once, it remembers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._found: dict[tuple[str, str], bool] = {}

    def takes(self, controller: str, action: str) -> bool:
        """Whether every request for this action is audited, however it ends.

        Args:
            controller, action: Of the table: what clients invent would be remembered, too.
        """
        key = (controller, action)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._takes(controller, action)
        return found

    def _takes(self, controller: str, action: str) -> bool:
        if self._scope == "all" or controller in SENSITIVE:
            return True
        return self._scope == "writes" and not reads(action)
