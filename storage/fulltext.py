"""Full text clauses of the Elasticsearch language: match and its kin."""

from __future__ import annotations

from typing import Final, Literal

from router.envelope import Json, JsonObject
from storage.query import Match, MultiMatch, Query, Scalar
from storage.refusals import malformed, unsupported

MAX_FIELDS: Final = 1_024
"""Fields of one multi_match, patterns of names among them."""

How = Literal["words", "phrase", "phrase_prefix"]

# Options that change how hits are scored, or how many words are looked up, but not what is asked.
_HARMLESS: Final = (
    *("boost", "_name", "max_expansions", "tie_breaker"),
    "auto_generate_synonyms_phrase_query",
)
_SHARED: Final = ("operator", "minimum_should_match", "zero_terms_query", "lenient", "slop")
_TYPES: Final[dict[str, How]] = {
    "best_fields": "words",
    "most_fields": "words",
    "phrase": "phrase",
    "phrase_prefix": "phrase_prefix",
}


def read_match(clause: str, how: How, content: JsonObject) -> Query:
    """A `match`, `match_phrase` or `match_phrase_prefix`.

    Raises:
        RouterError: `services.storage.unexpected_bad_request`; `trivium.unsupported.feature` for
            options of the peer's that this store doesn't have.
    """
    if len(content) != 1:
        raise malformed(f"{clause} wants one field, not {len(content)}.")
    ((field, given),) = content.items()
    options: JsonObject = given if isinstance(given, dict) else {"query": given}
    _check_options(clause, options, ("query",))
    return _match(field, how, options)


def read_multi_match(content: JsonObject) -> Query:
    """A `multi_match`. Raises: as `read_match`."""
    _check_options("multi_match", content, ("query", "fields", "type"))
    kind = content.get("type", "best_fields")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unsupported(f'The multi_match type "{kind}"')
    given = content.get("fields", ["*"])
    fields = given if isinstance(given, list) else [given]
    names = [field.partition("^")[0] for field in fields if isinstance(field, str)]
    if len(names) != len(fields) or len(names) > MAX_FIELDS:
        raise malformed(f"multi_match takes names of at most {MAX_FIELDS} fields.")
    match = _match("", _TYPES[kind], content)
    is_lenient = match.is_lenient or (names == ["*"] and content.get("lenient") is None)
    return MultiMatch(tuple(names or ["*"]), match, is_lenient or not names)


def _check_options(clause: str, options: JsonObject, own: tuple[str, ...]) -> None:
    for option in options:
        if option not in (*own, *_HARMLESS, *_SHARED):
            raise unsupported(f'"{option}" of a {clause} query')
    if options.get("slop") not in (None, 0):
        raise unsupported(f"slop of a {clause} query")


def _match(field: str, how: How, options: JsonObject) -> Match:
    query = options.get("query")
    if query is None or isinstance(query, (dict, list)):
        raise malformed("A match wants a text, a number or a boolean to look for.")
    operator = options.get("operator", "or")
    if not isinstance(operator, str) or operator.lower() not in ("or", "and"):
        raise malformed("The operator of a match is or, or and.")
    nothing = options.get("zero_terms_query", "none")
    if nothing not in ("none", "all"):
        raise malformed("zero_terms_query is none or all.")
    return Match(
        field=field,
        value=query,
        how=how,
        needs_all=operator.lower() == "and",
        minimum=_minimum(options.get("minimum_should_match")),
        empty_matches=nothing == "all",
        is_lenient=options.get("lenient") in (True, "true"),
    )


def _minimum(asked: Json) -> Scalar:
    if isinstance(asked, (dict, list)):
        raise malformed("minimum_should_match is a number or a percentage.")
    return asked
