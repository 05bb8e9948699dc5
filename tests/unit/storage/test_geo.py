"""Places and distances."""

from __future__ import annotations

from typing import Any

import pytest

from storage.geo import distance_m, read_meters, read_point


@pytest.mark.parametrize(
    ("value", "point"),
    [
        ({"lat": 1, "lon": 2}, (1.0, 2.0)),
        ({"lat": "1.5", "lon": -2.5, "more": 1}, (1.5, -2.5)),
        ([2, 1], (1.0, 2.0)),
        ([2.5, 1.5, 300], (1.5, 2.5)),
        ("1,2", (1.0, 2.0)),
        (" -1.5 , 2e1 ", (-1.5, 20.0)),
        ({"lat": 90.0, "lon": -180.0}, (90.0, -180.0)),
    ],
)
def test_a_place_is_written_in_many_ways(value: Any, point: Any) -> None:
    assert read_point(value) == point


def test_a_geohash_names_the_middle_of_its_cell() -> None:
    lat, lon = read_point("u09tvw0")
    assert (round(lat, 2), round(lon, 2)) == (48.86, 2.35)
    assert read_point("s") == (22.5, 22.5)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, "", "x,y", "a", "hello a", "1,2,3", "ails"),
        *([], [1], [1, 2, 3, 4], [[1, 2], [1, 2]]),
        *({"lat": 1}, {"lat": 90.1, "lon": 0}, {"lat": 0, "lon": 181}, {"lat": True, "lon": 0}),
        *({"lat": "nan", "lon": 0}, {"lat": 10**400, "lon": 0}, {"lat": None, "lon": None}),
    ],
)
def test_what_is_no_place_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_point(value)


@pytest.mark.parametrize(
    ("value", "unit", "meters"),
    [
        ("12km", "m", 12_000),
        ("1.5 mi", "m", 2_414.016),
        (" 3ft ", "m", 0.9144),
        ("12", "km", 12_000),
        (12, "m", 12),
        (0, "m", 0),
        ("1e3", "m", 1_000),
        ("2NM", "m", 3_704),
    ],
)
def test_distances_have_units(value: Any, unit: str, meters: float) -> None:
    assert read_meters(value, unit) == pytest.approx(meters)


@pytest.mark.parametrize("value", ["", "far", "12 parsec", "-1km", -1, True, None, [], "1e999"])
def test_what_is_no_distance_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_meters(value)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="distance"):
        read_meters(1, "parsec")


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        ((48.8566, 2.3522), (51.5074, -0.1278), 343.6),  # Paris to London
        ((0.0, 0.0), (0.0, 180.0), 20_015.1),  # half the equator
        ((90.0, 0.0), (-90.0, 17.0), 20_015.1),  # pole to pole
        ((0.0, 179.5), (0.0, -179.5), 111.2),  # over the date line
        ((12.0, 34.0), (12.0, 34.0), 0.0),
    ],
)
def test_distances_are_those_of_the_globe(here: Any, there: Any, km: float) -> None:
    assert distance_m(here, there) / 1_000 == pytest.approx(km, abs=0.1)
    assert distance_m(here, there) == pytest.approx(distance_m(there, here))
