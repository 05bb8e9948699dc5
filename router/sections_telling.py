"""Tables of the settings: what the router tells of itself."""

from __future__ import annotations

from pydantic import Field

from router.section import Section


class StatisticsSettings(Section):
    """The counts of `server:getStats` and its kin."""

    interval_s: float = Field(
        10.0, ge=0.1, description="Seconds that one frame of counts covers; Kuzzle's 10."
    )
    frames: int = Field(
        360, ge=1, description="Frames that are kept, the newest; with 10 s each it is an hour."
    )


class DumpSettings(Section):
    """The files that `admin:dump` writes: what an operator looks at when something is wrong."""

    folder: str = Field("", description="Where they are; empty for dumps in storage.data.")
    kept: int = Field(5, ge=1, description="Dumps that are kept, the newest.")
