"""Errors of an application, and errors read back from answers."""

import pytest

from router.catalogue import CATALOGUE
from router.errors import RouterError
from trivium.errors import AnsweredError, Errors


def registry() -> Errors:
    return Errors(lambda: None)


class TestRegister:
    def test_an_own_error_is_raised_with_its_values(self):
        errors = registry()
        errors.register("acme.fleet.grounded", 'Asset "%s" is grounded.', status=412)
        error = errors.get("acme.fleet.grounded", "CDG")
        assert isinstance(error, RouterError)
        assert error.to_json() == {
            "code": error.code,
            "id": "acme.fleet.grounded",
            "message": 'Asset "CDG" is grounded.',
            "props": ["CDG"],
            "status": 412,
        }

    def test_codes_are_distinct_and_none_of_the_catalogue_is_among_them(self):
        errors = registry()
        ids = ["acme.fleet.a", "acme.fleet.b", "acme.depot.a", "umbrella.fleet.a"]
        codes = [errors.get(errors.register(name, "x")).code for name in ids]
        assert len(set(codes)) == len(codes)
        assert not {entry.code for entry in CATALOGUE.values()} & set(codes)
        assert all(0 < code < 2**31 for code in codes)

    def test_an_error_of_the_catalogue_is_had_by_its_id(self):
        error = registry().get("services.storage.not_found", "a", "b", "c")
        assert error.status == 404

    def test_an_unknown_id_is_a_programming_error(self):
        with pytest.raises(KeyError):
            registry().get("acme.fleet.unknown")

    @pytest.mark.parametrize(
        ("id", "status", "reason"),
        [
            ("grounded", 400, "form"),
            ("Acme.fleet.grounded", 400, "form"),
            ("services.storage.mine", 400, "belongs to the router"),
            ("acme.fleet.fine", 200, "200 is no status"),
        ],
    )
    def test_a_bad_registration_says_why(self, id, status, reason):
        with pytest.raises(ValueError, match=reason):
            registry().register(id, "message", status=status)

    def test_an_id_is_registered_once(self):
        errors = registry()
        errors.register("acme.fleet.grounded", "x")
        with pytest.raises(ValueError, match="twice"):
            errors.register("acme.fleet.grounded", "y")


class TestAnswered:
    def test_an_error_object_survives_the_way_there_and_back(self):
        error = RouterError("services.storage.not_found", "a", "b", "c", errors=[1], count=1)
        assert AnsweredError(error.to_json()).to_json() == error.to_json()

    def test_an_error_without_fields_still_says_something(self):
        error = AnsweredError({})
        assert (error.id, error.status) == ("core.fatal.unexpected_error", 500)
        assert str(error)
