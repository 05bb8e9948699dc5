"""An application: what happens before and after an asset is updated.

trivium serve --app examples/fleet.py
"""

from __future__ import annotations

from typing import Any

from trivium import App

app = App("fleet")

ENGINE = "airports"

app.models.register_asset(
    "Airport",
    metadata_mappings={
        "name": {"type": "keyword"},
        "city": {"type": "keyword"},
        "country": {"type": "keyword"},
        "timezone": {"type": "keyword"},
        "elevation": {"type": "integer"},
        "location": {"type": "geo_point"},
        "runways": {"type": "keyword"},
        "enrichedByBeforeAssetUpdate": {"type": "boolean"},
        "enrichedByAfterAssetUpdate": {"type": "boolean"},
    },
)


@app.pipe("device-manager:asset:update:before")
async def enrich(payload: dict[str, Any]) -> dict[str, Any]:
    """Add to the update before it is written; the caller sees it in the answer."""
    app.log.debug("before asset update triggered")
    payload["updates"].setdefault("metadata", {})["enrichedByBeforeAssetUpdate"] = True
    return payload


@app.pipe("device-manager:asset:update:after")
async def follow_up(payload: dict[str, Any]) -> dict[str, Any]:
    """Write once more, through the API in process; that triggers no pipe again."""
    asset = payload["asset"]
    app.log.debug("after asset update triggered", asset=asset["_id"])
    if asset["_source"]["model"] == "Airport":
        changes = {"metadata": {"enrichedByAfterAssetUpdate": True}}
        await app.sdk.document.update(ENGINE, "assets", asset["_id"], changes)
    return payload
