"""Errors of document specifications."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "validation.assert.missing_nested_spec": Entry(
        0x05010001, 412, "Every level of an object needs its own specification."
    ),
    "validation.assert.unexpected_children": Entry(
        0x05010002, 412, 'Fields of the type "%s" have no fields below them.'
    ),
    "validation.assert.missing_parent": Entry(
        0x05010003, 412, 'The field "%s" stands below a field that is not specified.'
    ),
    "validation.assert.unexpected_properties": Entry(
        0x05010004, 412, '"%s" holds properties that it can\'t have; it takes: %s.'
    ),
    "validation.assert.missing_type": Entry(0x05010005, 412, 'The field "%s" is given no "type".'),
    "validation.assert.unknown_type": Entry(
        0x05010006, 412, '"%s" is given the type "%s", which does not exist.'
    ),
    "validation.assert.missing_value": Entry(
        0x05010007, 412, 'The field "%s" is given no "value".'
    ),
    "validation.assert.invalid_type": Entry(
        0x05010008, 412, '"%s" has the wrong type; expected: %s.'
    ),
    "validation.assert.not_multivalued": Entry(
        0x05010009, 412, 'The field "%s" holds one value; "%s" is for fields with several.'
    ),
    "validation.assert.invalid_range": Entry(
        0x0501000A, 412, 'The range of "%s" is empty: %s is more than %s.'
    ),
    "validation.assert.invalid_specifications": Entry(
        0x0501000B, 400, "The specifications hold errors:\n%s"
    ),
    "validation.assert.not_found": Entry(
        0x0501000C, 404, "There are no specifications for index %s and collection %s."
    ),
    "validation.assert.invalid_filters": Entry(
        0x0501000D, 400, "The validating filter is not a filter: %s"
    ),
    "validation.assert.incorrect_validation_format": Entry(
        0x0501000E, 500, 'The stored validation of the collection "%s" lacks "%s".'
    ),
    "validation.check.failed_document": Entry(
        0x05030001, 400, "The document does not meet its collection's specifications: %s"
    ),
    "validation.check.failed_field": Entry(
        0x05030002, 400, 'The field "%s" does not meet its specification: %s'
    ),
}
