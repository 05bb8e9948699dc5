"""The table of the settings for twin topics."""

from __future__ import annotations

from pydantic import Field

from router.section import Section


class TwinSettings(Section):
    """The topics twins/<engine>/<asset id> on MQTT: an asset's state, for who may read it."""

    enabled: bool = Field(False, description="Whether there are such topics.")
    check_s: float = Field(
        30.0,
        gt=0,
        description="Seconds between two comparisons of what is followed with the store; so long "
        "what went with its whole collection may go unnoticed.",
    )
