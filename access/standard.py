"""The roles and profiles that every router has, and those of the device-manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from router.envelope import JsonObject

PROTECTED: Final = ("admin", "anonymous", "default")
"""Roles and profiles that can't be deleted."""

ADMIN: Final = "admin"

_EVERYTHING: Final[JsonObject] = {"*": {"actions": {"*": True}}}


def _actions(names: str) -> JsonObject:
    return {"actions": dict.fromkeys(names.split(), True)}


def _profile(role_id: str, rate_limit: int) -> JsonObject:
    return {"policies": [{"roleId": role_id}], "rateLimit": rate_limit}


OPEN_ROLES: Final[Mapping[str, JsonObject]] = {
    name: {"controllers": _EVERYTHING} for name in PROTECTED
}
"""As long as nobody asked for restricted rights; before an administrator exists the listeners
see to it that only locals can ask."""

OPEN_PROFILES: Final[Mapping[str, JsonObject]] = {name: _profile(name, 0) for name in PROTECTED}

STANDARD_ROLES: Final[Mapping[str, JsonObject]] = {
    "admin": {"controllers": _EVERYTHING},
    "anonymous": {
        "controllers": {
            "auth": _actions("checkToken getCurrentUser getMyRights login"),
            "server": _actions("openapi publicApi"),
        }
    },
    "default": {
        "controllers": {
            "auth": _actions("checkToken getCurrentUser getMyRights logout updateSelf"),
            "server": _actions("publicApi"),
        }
    },
}
"""Kuzzle's `security.standard`: what `createFirstAdmin` with `reset` puts in force."""

STANDARD_PROFILES: Final[Mapping[str, JsonObject]] = {
    "admin": _profile("admin", 0),
    "anonymous": _profile("anonymous", 200),
    "default": _profile("default", 10),
}

_MODELS_OF_ASSETS: Final = "deleteAsset listAssets getAsset writeAsset listMeasures"
_MODELS_OF_DEVICES: Final = "deleteDevice listDevices getDevice writeDevice"
_READING_ASSETS: Final = (
    "get getMeasures getLastMeasures mGetLastMeasures exportMeasures search getLastMeasuredAt "
    "mGetLastMeasuredAt"
)
_READING_DEVICES: Final = (
    "get search getMeasures getLastMeasures mGetLastMeasures exportMeasures getLastMeasuredAt "
    "mGetLastMeasuredAt"
)

_OF_DEVICE_MANAGER: Final[Mapping[str, Mapping[str, str]]] = {
    "assets.admin": {
        "assets": "*",
        "models": _MODELS_OF_ASSETS,
        "devices": "linkAsset unlinkAsset",
    },
    "assets.reader": {"assets": _READING_ASSETS, "models": "listAssets getAsset listMeasures"},
    "assets.configuration": {"assets": "replaceMetadata update"},
    "assets.creation": {"assets": "create delete upsert"},
    "assetsGroup.admin": {"assetsGroup": "*", "models": "listGroups getGroup"},
    "assetsGroup.reader": {"assetsGroup": "get search", "models": "listGroups getGroup"},
    "devices.admin": {
        "devices": "attachEngine create detachEngine get linkAsset search unlinkAsset update "
        "getMeasures exportMeasures",
        "models": f"{_MODELS_OF_DEVICES} listMeasures",
    },
    "devices.platform-admin": {"devices": "*", "models": _MODELS_OF_DEVICES},
    "devices.reader": {
        "devices": _READING_DEVICES,
        "models": "listDevices getDevice listMeasures",
    },
    "devices.assetAssociation": {"devices": "linkAsset unlinkAsset"},
    "devices.configuration": {"devices": "replaceMetadata update"},
    "devices.creation": {"devices": "attachEngine create detachEngine upsert"},
    "measures.admin": {"models": "deleteMeasure listMeasures getMeasure writeMeasure"},
    "measures.reader": {"models": "listMeasures getMeasure"},
    "decoders.admin": {"decoders": "*"},
    "payloads.all": {"payloads": "*", "decoders": "route"},
}

DEVICE_MANAGER_ROLES: Final[Mapping[str, JsonObject]] = {
    role: {
        "controllers": {
            f"device-manager/{controller}": _actions(names)
            for controller, names in controllers.items()
        }
    }
    for role, controllers in _OF_DEVICE_MANAGER.items()
}
"""Made at the first start, as the plugin does; actions that aren't done yet among them."""


def first_documents() -> dict[str, dict[str, JsonObject]]:
    """What a private store without any role gets: roles and profiles, by their ids."""
    return {
        "roles": {**OPEN_ROLES, **DEVICE_MANAGER_ROLES},
        "profiles": dict(OPEN_PROFILES),
    }
