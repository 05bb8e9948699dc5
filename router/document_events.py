"""Events of documents whatever the action: `generic:document:beforeWrite` and its kin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from router.envelope import Json, Request

Documents: TypeAlias = "list[Json]"
"""`{_id, _source}` each, where there is an `_id` and a content."""


@dataclass(frozen=True, slots=True)
class DocumentEvents:
    """How documents are taken out of the requests and results of an action, and put back.

    Attributes:
        group: What is done to them.
        before: Takes them out of a request, and puts those that a pipe returned into it; None
            where nobody knows them before the action.
        after: The same of a result.
    """

    group: Literal["Get", "Write", "Update", "Delete"]
    before: tuple[Callable[[Request], Documents], Callable[[Request, Documents], Request]] | None
    after: tuple[Callable[[Json], Documents], Callable[[Json, Documents], Json]]
    before_event: str = field(init=False)
    after_event: str = field(init=False)

    def __post_init__(self) -> None:
        for stage in ("before", "after"):
            event = f"generic:document:{stage}{self.group}"
            object.__setattr__(self, f"{stage}_event", event)
