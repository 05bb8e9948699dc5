"""What the catalogue knows of one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One error: `code` is domain << 24 | subdomain << 16 | number; `%s` takes the next prop."""

    code: int
    status: int
    template: str

    def render(self, props: Sequence[object]) -> str:
        """The message with its placeholders filled, in order; missing props leave `%s` standing."""
        head, *rest = self.template.split("%s")
        fills = [str(prop) for prop in props[: len(rest)]] + ["%s"] * (len(rest) - len(props))
        return head + "".join(fill + part for fill, part in zip(fills, rest, strict=True))
