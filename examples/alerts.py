"""An application that listens: it keeps an alert for each truck that is too hot, and hides from all
who listen what is nobody's business.

trivium serve --app examples/alerts.py
"""

from __future__ import annotations

from typing import Any

from trivium import App

app = App("alerts")

ENGINE, ALERTS = "fleet", "alerts"
TOO_HOT: dict[str, Any] = {"range": {"metadata.temperature": {"gt": 30}}}


@app.pipe("kuzzle:state:live")
async def listen(_: object) -> None:
    """Subscribe before the first client is let in."""
    if not await app.sdk.device_manager.engine.exists(ENGINE):
        await app.sdk.device_manager.engine.create(ENGINE)
        await app.sdk.collection.create(ENGINE, ALERTS)
    await app.sdk.realtime.subscribe(ENGINE, "assets", TOO_HOT, heard)


async def heard(notification: dict[str, Any]) -> None:
    """Called with one notification after the other, in the order of the writes."""
    asset = notification["result"]
    if notification["scope"] == "in":
        temperature = asset["_source"]["metadata"]["temperature"]
        alert = {"temperature": temperature}
        await app.sdk.document.create_or_replace(ENGINE, ALERTS, asset["_id"], alert)
    elif await app.sdk.document.exists(ENGINE, ALERTS, asset["_id"]):
        await app.sdk.document.delete(ENGINE, ALERTS, asset["_id"])


@app.pipe("notify:document")
def hide(notification: dict[str, Any]) -> dict[str, Any] | None:
    """Every notification passes here on its way out; None would keep it from being sent."""
    metadata = notification["result"]["_source"].get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("driver", None)
    return notification
