"""The application that tests run, with the recorded peer's model `Container`."""

from __future__ import annotations

from pathlib import Path

from router.settings import (
    MqttSettings,
    ServerSettings,
    Settings,
    StatisticsSettings,
    StorageSettings,
)
from trivium import App

CONTAINER_METADATA = {
    "height": {"type": "integer"},
    "weight": {"type": "integer"},
    "trailer": {
        "properties": {"weight": {"type": "integer"}, "capacity": {"type": "integer"}},
    },
    "person": {
        "properties": {"company": {"type": "keyword"}, "lastName": {"type": "keyword"}},
    },
}


def fleet_app() -> App:
    """An application with the asset model that the recorded exchanges use."""
    app = App()
    app.models.register_asset(
        "Container",
        metadata_mappings=CONTAINER_METADATA,
        default_metadata={"height": 20},
        measures=[
            {"name": "temperatureExt", "type": "temperature"},
            {"name": "temperatureInt", "type": "temperature"},
            {"name": "position", "type": "position"},
            {"name": "temperatureWeather", "type": "temperature"},
        ],
        locales={
            "en": {
                "friendlyName": "Container (translation by model)",
                "description": "Containerized container",
            },
            "fr": {
                "friendlyName": "Conteneur (traduit par model)",
                "description": "Conteneur conteneurisé",
            },
        },
    )
    return app


def fleet_settings(data: Path, *, http_form: str = "asset") -> Settings:
    """Settings of a router on free ports with its data in `data`."""
    return Settings(
        server=ServerSettings(port=0),
        mqtt=MqttSettings(port=0),
        storage=StorageSettings(data=data),
        # A single frame, whatever the time that a test takes.
        statistics=StatisticsSettings(interval_s=3600),
    ).model_copy(
        update={
            "device_manager": Settings().device_manager.model_copy(update={"http_form": http_form})
        }
    )
