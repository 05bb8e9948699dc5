"""Asset and measure models: what an application declares before the router starts."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from router.envelope import Json, JsonObject

COMMONS: Final = "commons"
"""The engine group whose models every group sees."""

MEASURES: Final[Mapping[str, JsonObject]] = {
    "temperature": {"temperature": {"type": "float"}},
    "position": {
        "position": {"type": "geo_point"},
        "accuracy": {"type": "float"},
        "altitude": {"type": "float"},
    },
    "movement": {"movement": {"type": "boolean"}},
    "humidity": {"humidity": {"type": "float"}},
    "battery": {"battery": {"type": "integer"}},
}
"""Mappings of the values of the built-in measure types."""


class Slot(msgspec.Struct, frozen=True):
    """A named place for measures of one type."""

    name: str
    type: str


class AssetModel(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of asset.

    Attributes:
        engine_group: Engines of this group see the model; `commons` is seen by all.
        metadata_mappings: Mapping of the metadata, as in a collection's `properties`.
        default_metadata: Values of a new asset's metadata; keys may be dotted paths.
        measures: The slots that a new asset has, each of a known measure type.
        locales: `{<language>: {friendlyName, description}}`, copied into each new asset.
    """

    model: str
    engine_group: str = COMMONS
    metadata_mappings: JsonObject = msgspec.field(default_factory=dict)
    default_metadata: JsonObject = msgspec.field(default_factory=dict)
    measures: tuple[Slot, ...] = ()
    locales: JsonObject = msgspec.field(default_factory=dict)

    def fresh(self, metadata: JsonObject) -> JsonObject:
        """The metadata of a new asset: every declared key, the defaults, the caller's own.

        The caller's values replace defaults key by key at the top level only.
        """
        filled: JsonObject = dict.fromkeys(self.metadata_mappings)
        for path, value in self.default_metadata.items():
            _put(filled, path.split("."), copy.deepcopy(value))
        return {**filled, **metadata}

    def document(self) -> JsonObject:
        """The model as it is stored in the admin index."""
        slots: list[Json] = [{"name": slot.name, "type": slot.type} for slot in self.measures]
        return {
            "type": "asset",
            "engineGroup": self.engine_group,
            "asset": {
                "model": self.model,
                "metadataMappings": self.metadata_mappings,
                "defaultMetadata": self.default_metadata,
                "measures": slots,
                "metadataDetails": {},
                "metadataGroups": {},
                "tooltipModels": {},
                "locales": self.locales,
            },
        }


class Models:
    """The models of this router, by name; later declarations of a name replace earlier ones."""

    def __init__(self) -> None:
        self._assets: dict[str, AssetModel] = {}
        self._measures: dict[str, JsonObject] = dict(MEASURES)

    def __iter__(self) -> Iterator[AssetModel]:
        return iter(self._assets.values())

    @property
    def measures(self) -> Mapping[str, JsonObject]:
        """Mappings of the values of every measure type."""
        return self._measures

    def register_asset(self, model: AssetModel) -> None:
        """Declare an asset model; call before the router starts.

        Raises:
            ValueError: A slot's measure type is unknown.
        """
        for slot in model.measures:
            if slot.type not in self._measures:
                raise ValueError(
                    f"asset model {model.model}: slot {slot.name} is of the unknown measure "
                    f"type {slot.type}"
                )
        self._assets[model.model] = model

    def restore(self, document: JsonObject) -> None:
        """Take in a model that an earlier run stored, unless this run declares that name."""
        model = _read(document)
        if model is not None:
            self._assets.setdefault(model.model, model)

    def seen_by(self, group: str) -> list[AssetModel]:
        """The models that engines of a group use."""
        return [model for model in self if model.engine_group in (group, COMMONS)]

    def asset(self, name: str, group: str) -> AssetModel | None:
        """The model of that name if the group sees it."""
        model = self._assets.get(name)
        return model if model is not None and model.engine_group in (group, COMMONS) else None


def _read(document: JsonObject) -> AssetModel | None:
    asset = document.get("asset")
    if document.get("type") != "asset" or not isinstance(asset, dict):
        return None
    name, group = asset.get("model"), document.get("engineGroup")
    if not isinstance(name, str) or not name:
        return None
    return AssetModel(
        model=name,
        engine_group=group if isinstance(group, str) and group else COMMONS,
        metadata_mappings=_object(asset.get("metadataMappings")),
        default_metadata=_object(asset.get("defaultMetadata")),
        measures=_slots(asset.get("measures")),
        locales=_object(asset.get("locales")),
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _slots(value: Json) -> tuple[Slot, ...]:
    slots = (_object(item) for item in value) if isinstance(value, list) else ()
    named = ((slot.get("name"), slot.get("type")) for slot in slots)
    return tuple(
        Slot(name, kind) for name, kind in named if isinstance(name, str) and isinstance(kind, str)
    )


def _put(into: JsonObject, path: list[str], value: Json) -> None:
    for key in path[:-1]:
        below = into.get(key)
        if not isinstance(below, dict):
            below = into[key] = {}
        into = below
    into[path[-1]] = value
