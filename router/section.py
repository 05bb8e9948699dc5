"""What every table of the settings is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

HIDDEN: Final = "(set, not shown)"
"""Stands for a secret where settings are shown."""

# RFC 3986, 3.2.1: a URL may hold a password; what parses URLs takes the last @ for its end.
_USERINFO: Final = re.compile(r"//[^/,\s]*@")


def without_userinfo(text: str) -> str:
    """A text with a note in the place of the user and password of each URL in it."""
    return _USERINFO.sub(f"//{HIDDEN}@", text)


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors, so that a typo can't hide.

    A field with `repr=False` holds a secret: it is never shown, nor logged.
    """

    # What checks values is made when a table is first given one: most tables of a start aren't,
    # and it took a tenth of the start.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def of_checked(cls, values: Mapping[str, object]) -> Self:
        """A table of values that were checked already, and of defaults for the others."""
        return cls.model_construct(set(values), **values)  # type: ignore[return-value]  # the plugin of mypy forgets Self

    def without_secrets(self) -> Self:
        """The same, with a note in the place of every secret that is set."""
        shown: dict[str, object] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Section):
                shown[name] = value.without_secrets()
            elif not field.repr and value:
                shown[name] = HIDDEN
            elif isinstance(value, str):
                shown[name] = without_userinfo(value)
        return self.model_copy(update=shown)
