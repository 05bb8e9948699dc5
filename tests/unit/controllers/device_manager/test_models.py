"""Models: who sees them, what a new asset gets from them, how they are stored and read."""

from __future__ import annotations

import pytest

from controllers.device_manager.mappings import assets
from controllers.device_manager.models import AssetModel, Models, Slot

CRATE = AssetModel(
    model="Crate",
    metadata_mappings={"volume": {"type": "integer"}, "owner": {"properties": {}}, "z": {}},
    default_metadata={"volume": 0, "owner.name": "", "owner.tags": []},
    measures=(Slot("inside", "temperature"),),
    locales={"en": {"friendlyName": "Crate"}},
)


class TestFreshMetadata:
    def test_every_declared_key_is_there_and_falsy_defaults_count(self) -> None:
        assert CRATE.fresh({}) == {"volume": 0, "owner": {"name": "", "tags": []}, "z": None}

    def test_the_callers_values_take_the_place_of_whole_defaults(self) -> None:
        fresh = CRATE.fresh({"owner": {"age": 3}, "more": 1})
        assert fresh == {"volume": 0, "owner": {"age": 3}, "z": None, "more": 1}

    def test_what_happens_to_one_asset_changes_no_default(self) -> None:
        first = CRATE.fresh({})
        owner = first["owner"]
        assert isinstance(owner, dict)
        owner["tags"] = owner["name"] = "changed"
        assert CRATE.fresh({})["owner"] == {"name": "", "tags": []}


class TestRegistry:
    def test_commons_are_seen_by_every_group_others_by_their_own(self) -> None:
        models = Models()
        models.register_asset(CRATE)
        models.register_asset(AssetModel(model="Boat", engine_group="sea"))
        assert [model.model for model in models.seen_by("sea")] == ["Crate", "Boat"]
        assert [model.model for model in models.seen_by("land")] == ["Crate"]
        assert models.asset("Boat", "land") is None
        assert models.asset("Boat", "sea") is not None
        assert models.asset("Plane", "sea") is None

    def test_a_slot_needs_a_known_measure_type(self) -> None:
        with pytest.raises(ValueError, match="unknown measure type nonsense"):
            Models().register_asset(AssetModel(model="X", measures=(Slot("a", "nonsense"),)))

    def test_a_stored_model_serves_as_it_was(self) -> None:
        models = Models()
        models.restore(CRATE.document())
        assert models.asset("Crate", "any") == CRATE

    def test_what_this_run_declares_goes_before_what_was_stored(self) -> None:
        models = Models()
        models.register_asset(AssetModel(model="Crate"))
        models.restore(CRATE.document())
        assert models.asset("Crate", "any") == AssetModel(model="Crate")

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"type": "device", "device": {"model": "X"}},
            {"type": "asset"},
            {"type": "asset", "asset": {"model": ""}},
            {"type": "asset", "asset": {"model": 5}},
        ],
    )
    def test_documents_that_are_no_asset_models_are_passed_over(self, document: dict) -> None:  # type: ignore[type-arg]
        models = Models()
        models.restore(document)
        assert list(models) == []

    def test_a_stored_model_with_odd_parts_serves_without_them(self) -> None:
        models = Models()
        models.restore(
            {
                "type": "asset",
                "engineGroup": None,
                "asset": {"model": "X", "metadataMappings": 3, "measures": ["a"], "locales": None},
            }
        )
        model = models.asset("X", "any")
        assert model == AssetModel(model="X")


def test_the_mapping_unites_all_models_and_their_slots() -> None:
    boat = AssetModel(
        model="Boat",
        metadata_mappings={"draught": {"type": "float"}},
        measures=(Slot("deck", "battery"), Slot("odd", "of no known type")),
    )
    mapping: dict = assets([CRATE, boat], Models().measures)  # type: ignore[type-arg]
    assert mapping["dynamic"] == "strict"
    properties = mapping["properties"]
    assert properties["metadata"]["dynamic"] == "false"
    assert set(properties["metadata"]["properties"]) == {"volume", "owner", "z", "draught"}
    slots = properties["measures"]["properties"]
    assert slots["deck"]["properties"]["values"]["properties"] == {"battery": {"type": "integer"}}
    assert slots["inside"]["properties"]["originId"] == {"type": "keyword"}
    assert slots["odd"]["properties"]["values"]["properties"] == {}
