"""Errors of the store and what belongs to it."""

from __future__ import annotations

from typing import Final

from router.catalogue.entry import Entry

ENTRIES: Final = {
    "services.storage.unknown_index": Entry(0x01010001, 412, 'There is no index "%s".'),
    "services.storage.unknown_collection": Entry(
        0x01010002, 412, 'There is no collection "%s":"%s".'
    ),
    "services.storage.get_limit_exceeded": Entry(
        0x01010003,
        413,
        "The answer would hold more documents than one request may read; ask for fewer.",
    ),
    "services.storage.write_limit_exceeded": Entry(
        0x01010004,
        413,
        "The request holds more documents than one request may write; send fewer at a time.",
    ),
    "services.storage.import_failed": Entry(
        0x01010005, 206, 'Not every document was imported; "errors" lists those that were not.'
    ),
    "services.storage.no_multi_indexes": Entry(
        0x01010006, 400, "This works on one index at a time."
    ),
    "services.storage.no_multi_collections": Entry(
        0x01010007, 400, "This works on one collection at a time."
    ),
    "services.storage.incomplete_delete": Entry(
        0x01010009, 206, "Some of the documents were not deleted: %s"
    ),
    "services.storage.not_found": Entry(0x0101000B, 404, 'There is no document "%s" in "%s":"%s".'),
    "services.storage.bootstrap_timeout": Entry(
        0x0101000C, 500, "%s: another process held the start-up lock for too long."
    ),
    "services.storage.version_mismatch": Entry(
        0x0101000D, 500, "This router can't work with version %s of the search engine."
    ),
    "services.storage.unknown_scroll_id": Entry(
        0x0101000E, 404, "There is no such scroll; it may have expired. Start the search again."
    ),
    "services.storage.search_as_an_id": Entry(
        0x0101000F, 400, '"_search" can\'t be the id of a document.'
    ),
    "services.storage.unknown_index_collection": Entry(
        0x01010010, 412, "The index, or the collection in it, does not exist."
    ),
    "services.storage.document_already_exists": Entry(
        0x01010011, 400, "A document with this id exists already."
    ),
    "services.storage.missing_argument": Entry(
        0x01010012, 400, '"%s" is required and must not be empty.'
    ),
    "services.storage.invalid_argument": Entry(
        0x01010013, 400, '"%s" has a value that can\'t be used here; expected: %s'
    ),
    "services.storage.index_protected": Entry(
        0x01010014, 400, "The index '%s' belongs to the router; use the actions made for it."
    ),
    "services.storage.invalid_mapping": Entry(
        0x01010015, 400, 'The mapping property "mappings.%s" can\'t be used.%s'
    ),
    "services.storage.collection_reserved": Entry(
        0x01010016, 400, 'A collection can\'t be called "%s": the router uses that name itself.'
    ),
    "services.storage.no_routing": Entry(0x01010017, 400, '"_routing" can\'t be used here.'),
    "services.storage.not_connected": Entry(0x01010018, 500, "The search engine can't be reached."),
    "services.storage.too_many_operations": Entry(
        0x01010019, 500, 'The search engine\'s queue "%s" is full; try again a little later.'
    ),
    "services.storage.cannot_change_mapping": Entry(
        0x0101001A,
        400,
        'The field "%s" has a mapping, and a mapping never changes; reindex under another name.',
    ),
    "services.storage.duplicate_field_mapping": Entry(
        0x0101001B,
        400,
        'The field "%s" of the collection "%s" is mapped with another type in a sister collection.',
    ),
    "services.storage.unexpected_properties": Entry(
        0x0101001C, 400, 'The property "%s" means nothing on the field "%s".'
    ),
    "services.storage.invalid_mapping_type": Entry(
        0x0101001D, 400, 'The field "%s" is given the type "%s", which does not exist.'
    ),
    "services.storage.wrong_mapping_property": Entry(
        0x0101001E, 400, 'The mapping property "%s" can\'t be understood.'
    ),
    "services.storage.invalid_mapping_argument": Entry(
        0x0101001F, 400, 'In the mapping of the field "%s", the property "%s" can\'t be used.'
    ),
    "services.storage.too_many_changes": Entry(
        0x01010020,
        500,
        'The document "%s" was not written: too many writers changed it at the same time.',
    ),
    "services.storage.unexpected_bad_request": Entry(0x01010021, 400, "%s"),
    "services.storage.unexpected_not_found": Entry(0x01010022, 404, "%s"),
    "services.storage.unexpected_error": Entry(0x01010023, 500, "%s"),
    "services.storage.no_mapping_found": Entry(0x01010025, 404, 'The index "%s" has no mapping.'),
    "services.storage.index_already_exists": Entry(
        0x01010026, 412, 'There is a %s index "%s" already.'
    ),
    "services.storage.forbidden_character": Entry(
        0x01010027, 400, 'The names of indexes and collections can\'t hold the character "%s".'
    ),
    "services.storage.invalid_search_query": Entry(
        0x01010028, 400, 'A search query takes no "%s" at its top level.'
    ),
    "services.storage.invalid_index_name": Entry(
        0x01010029, 400, '"%s" can\'t be the name of an index.'
    ),
    "services.storage.invalid_collection_name": Entry(
        0x0101002A, 400, '"%s" can\'t be the name of a collection.'
    ),
    "services.storage.strict_mapping_rejection": Entry(
        0x0101002B,
        400,
        'The document was not written: its field "%s" is not in the strict mapping of "%s:%s".',
    ),
    "services.storage.scroll_duration_too_great": Entry(
        0x0101002C, 400, 'A scroll can\'t be kept open for "%s"; ask for a shorter time.'
    ),
    "services.storage.unknown_query_keyword": Entry(
        0x0101002D, 400, 'The query language has no "%s". Is this perhaps a Koncorde filter?'
    ),
    "services.storage.incomplete_update": Entry(
        0x0101002E, 400, "%s documents were updated, then an error stopped the rest."
    ),
    "services.storage.invalid_query_keyword": Entry(
        0x0101002F, 400, 'The query keyword "%s" is not permitted.'
    ),
    "services.storage.multiple_indice_alias": Entry(
        0x01010030,
        412,
        "One %s belongs to several %s in the search engine; an earlier action must "
        "have left it so.",
    ),
    "services.storage.invalid_multi_index_collection_usage": Entry(
        0x01010031,
        400,
        'To search several collections, list them in "targets": [{index, collections}].',
    ),
    "services.storage.invalid_target_format": Entry(
        0x01010032,
        400,
        'The %s "%s" can\'t be searched: "_all" and names with any of ",+*" are refused.',
    ),
    "services.storage.wrong_es_static_settings_for_collection_recreation": Entry(
        0x01010033,
        400,
        "The collection %s of index %s (%s) exists with other settings: %s is asked to "
        "be %s, but is %s.",
    ),
    "services.cache.database_not_found": Entry(0x01030001, 404, 'There is no cache called "%s".'),
    "services.cache.read_failed": Entry(0x01030002, 500, "The cache could not be read: %s"),
    "services.cache.not_connected": Entry(0x01030003, 503, "The cache can't be reached."),
    "services.cache.write_failed": Entry(0x01030004, 500, "The cache could not be written: %s"),
    "services.statistics.not_available": Entry(
        0x01040001, 500, "No statistics are kept at present."
    ),
    "services.koncorde.elastic_translation_error": Entry(
        0x01050001, 400, "The filter can't be made into a search query: %s"
    ),
}
