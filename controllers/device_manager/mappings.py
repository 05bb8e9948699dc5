"""The mappings of the plugin's collections, in the admin index and in every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from controllers.device_manager.models import AssetModel
from router.envelope import Json, JsonObject

KEYWORD: Final[JsonObject] = {"type": "keyword"}
DATE: Final[JsonObject] = {"type": "date"}
SEARCHED: Final[JsonObject] = {"type": "keyword", "fields": {"text": {"type": "text"}}}
FREE: Final[JsonObject] = {"dynamic": "false", "properties": {}}

CONFIG: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {
        "type": KEYWORD,
        "group": KEYWORD,
        "device-manager": {"properties": {"provisioningStrategy": KEYWORD}},
        "engine": {"properties": {"group": KEYWORD, "index": KEYWORD, "name": KEYWORD}},
    },
}

ENGINE_CONFIG: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {"type": KEYWORD, "group": KEYWORD},
}


def _model(keys: Mapping[str, JsonObject], free: Iterable[str]) -> JsonObject:
    return {"properties": {**keys, **dict.fromkeys(free, FREE)}}


_SLOTS: Final[JsonObject] = {"properties": {"type": KEYWORD, "name": KEYWORD}}
_METADATA: Final = ("metadataMappings", "defaultMetadata", "metadataDetails", "metadataGroups")

MODELS: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {
        "type": KEYWORD,
        "engineGroup": KEYWORD,
        "measure": _model(
            {"type": KEYWORD}, ("valuesMappings", "validationSchema", "valuesDetails", "locales")
        ),
        "asset": _model(
            {"model": KEYWORD, "measures": _SLOTS}, (*_METADATA, "tooltipModels", "locales")
        ),
        "device": _model({"model": KEYWORD, "measures": _SLOTS}, _METADATA),
        "group": _model({"model": KEYWORD}, (*_METADATA, "tooltipModels")),
    },
}


def assets(models: Iterable[AssetModel], measures: Mapping[str, JsonObject]) -> JsonObject:
    """The mapping of an engine's `assets`.

    As the peer's, but for two things that the documented form of the API needs: `type`, and
    metadata that no model declares are stored, not refused (the plural controller refuses
    them itself).

    Args:
        models: The asset models that the engine's group sees.
        measures: Mappings of the values of every measure type.
    """
    metadata, slots = _united(models, measures)
    return {
        "dynamic": "strict",
        "properties": {
            "type": KEYWORD,
            "model": SEARCHED,
            "reference": SEARCHED,
            "softTenant": SEARCHED,
            "modelLocales": {
                "dynamic": "false",
                "properties": dict.fromkeys(("en", "fr"), _LOCALE),
            },
            "groups": {"properties": {"id": SEARCHED, "date": DATE}},
            "metadata": {"dynamic": "false", "properties": metadata},
            "measures": {"properties": slots},
            "lastMeasuredAt": DATE,
            "linkedDevices": {"properties": _LINK},
        },
    }


def history(assets: JsonObject) -> JsonObject:
    """The mapping of an engine's `assets-history`, around that of its assets."""
    properties = assets["properties"]
    whole = {**properties, "_kuzzle_info": _STAMP} if isinstance(properties, dict) else {}
    return {
        "dynamic": "strict",
        "properties": {
            "id": KEYWORD,
            "timestamp": DATE,
            "event": {
                "properties": {
                    "name": KEYWORD,
                    "measure": {"properties": {"names": KEYWORD}},
                    "metadata": {"properties": {"names": KEYWORD}},
                    "link": {"properties": {"deviceId": KEYWORD}},
                    "unlink": {"properties": {"deviceId": KEYWORD}},
                }
            },
            "asset": {"dynamic": assets["dynamic"], "properties": whole},
        },
    }


def measured(assets: JsonObject, measures: Mapping[str, JsonObject]) -> JsonObject:
    """The mapping of an engine's `measures`."""
    properties = assets["properties"]
    metadata = properties["metadata"] if isinstance(properties, dict) else FREE
    values: JsonObject = {}
    for mapping in measures.values():
        values.update(mapping)
    return {
        "dynamic": "strict",
        "properties": {
            "type": KEYWORD,
            "measuredAt": DATE,
            "values": {"properties": values},
            "asset": {
                "properties": {
                    **dict.fromkeys(("_id", "model", "reference", "measureName"), KEYWORD),
                    "metadata": metadata,
                    "groups": {"properties": {"id": SEARCHED, "date": DATE}},
                    "softTenant": SEARCHED,
                }
            },
            "origin": {
                "properties": {
                    **dict.fromkeys(_ORIGIN, KEYWORD),
                    "deviceMetadata": {"properties": {}},
                    "apiMetadata": FREE,
                }
            },
        },
    }


GROUPS: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {
        **dict.fromkeys(("name", "model", "parent", "children"), SEARCHED),
        "lastUpdate": DATE,
        "metadata": {"properties": {}},
    },
}

DEVICES: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {
        **dict.fromkeys(("model", "reference", "assetId", "engineId"), SEARCHED),
        "lastMeasuredAt": DATE,
        "metadata": {"properties": {}},
        "measures": {"properties": {}},
    },
}

PAYLOADS: Final[JsonObject] = {
    "dynamic": "strict",
    "properties": {
        **dict.fromkeys(("deviceModel", "uuid", "apiAction", "state", "reason"), KEYWORD),
        "valid": {"type": "boolean"},
        "payload": FREE,
    },
}

_LOCALE: Final[JsonObject] = {
    "properties": {"description": {"type": "text"}, "friendlyName": SEARCHED}
}
_LINK: Final[JsonObject] = {
    "_id": KEYWORD,
    "measureNames": {"properties": dict.fromkeys(("asset", "device", "type"), KEYWORD)},
}
_STAMP: Final[JsonObject] = {
    "properties": {"author": KEYWORD, "createdAt": DATE, "updatedAt": DATE, "updater": KEYWORD}
}
_ORIGIN: Final = ("type", "measureName", "deviceModel", "reference", "_id", "payloadUuids")


def _united(
    models: Iterable[AssetModel], measures: Mapping[str, JsonObject]
) -> tuple[JsonObject, JsonObject]:
    metadata: JsonObject = {}
    slots: JsonObject = {}
    for model in models:
        metadata.update(model.metadata_mappings)
        for slot in model.measures:
            slots[slot.name] = _embedded(measures.get(slot.type, {}))
    return metadata, slots


def _embedded(values: JsonObject) -> Json:
    return {
        "properties": {
            "measuredAt": DATE,
            **dict.fromkeys(("name", "type", "payloadUuids", "originId"), KEYWORD),
            "values": {"properties": values},
        }
    }
