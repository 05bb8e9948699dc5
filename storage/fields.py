"""The field types of mappings: what each reads from a document and how it is indexed."""

from __future__ import annotations

import base64
import ipaddress
import math
import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from router.envelope import Json, JsonObject
from storage.dates import DEFAULT_FORMAT, date_reader
from storage.geo import Point, read_point

Kind: TypeAlias = Literal["keyword", "text", "number", "boolean", "date", "ip", "geo", "nested"]
"""How the values of a field compare. Dates are ms since 1970, IP addresses sortable text; no
field is `nested`, the objects at a path are."""

Value: TypeAlias = "str | int | float | bool | Point"
"""What an index row holds: str for keyword, text and ip; int or float for number; int for date;
bool for boolean; (latitude, longitude) for geo. Whole numbers fit in 64 bits, signed."""

ReadValue: TypeAlias = Callable[[Json], "Value | None"]
"""Gives the row value of one JSON value that is neither null nor an array (a geo_point's may
be one); None for what is accepted but not indexed; ValueError for what the type can't take."""

MAX_KEYWORD_BYTES: Final = 32_766
"""Longest keyword in UTF-8: Lucene's longest term."""

MAX_INT64: Final = 2**63 - 1

_INTEGER: Final = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)

# Options that any field may carry. Those that only steer the peer's disk layout or scoring are
# kept and have no effect here.
_COMMON: Final = frozenset({"meta", "store", "index", "doc_values", "boost"})
_TEXTS: Final = frozenset({"norms", "index_options", "eager_global_ordinals", "similarity"})
_NUMBERS: Final = frozenset({"coerce", "ignore_malformed", "null_value"})


class FieldType(NamedTuple):
    """One type: how its rows compare (None: it has none), its reader, the options it takes."""

    kind: Kind | None
    make: Callable[[JsonObject], ReadValue]
    options: frozenset[str]


def _text_of(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise ValueError("an object")


def _keyword(options: JsonObject) -> ReadValue:
    limit = options.get("ignore_above")
    longest = limit if isinstance(limit, int) else math.inf
    is_lower = options.get("normalizer") == "lowercase"

    def read(value: Json) -> str | None:
        text = value if type(value) is str else _text_of(value)
        size = len(text)
        if size > longest:
            return None
        if size * 4 > MAX_KEYWORD_BYTES and len(text.encode()) > MAX_KEYWORD_BYTES:
            raise ValueError(f"longer than {MAX_KEYWORD_BYTES} bytes")
        return text.lower() if is_lower else text

    return read


def _text(_options: JsonObject) -> ReadValue:
    return _text_of


def _whole(low: int, high: int) -> Callable[[JsonObject], ReadValue]:
    def make(options: JsonObject) -> ReadValue:
        is_strict = options.get("coerce") is False

        def read(value: Json) -> int | float | None:
            if type(value) is not int:
                if value == "" and not is_strict:
                    return None
                value = _whole_of(value, is_strict)
            if not low <= value <= high:
                raise ValueError(f"not within {low} and {high}")
            return value if value <= MAX_INT64 else float(value)

        return read

    return make


def _whole_of(value: Json, is_strict: bool) -> int:
    if isinstance(value, str) and not is_strict:
        value = decimal_of(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    if is_strict and value != int(value):
        raise ValueError("not a whole number")
    return int(value)


def _fraction(limit: float) -> Callable[[JsonObject], ReadValue]:
    def make(options: JsonObject) -> ReadValue:
        is_strict = options.get("coerce") is False
        factor = _factor(options)

        def read(value: Json) -> float | None:
            if type(value) is not float:
                if value == "" and not is_strict:
                    return None
                value = _fraction_of(value, is_strict)
            if not -limit <= value <= limit:
                raise ValueError("out of range")
            return value if factor is None else round(value * factor) / factor

        return read

    return make


def _factor(options: JsonObject) -> float | None:
    factor = options.get("scaling_factor")
    return float(factor) if isinstance(factor, (int, float)) else None


def _fraction_of(value: Json, is_strict: bool) -> float:
    if isinstance(value, str) and not is_strict:
        return float(decimal_of(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("out of range") from None


def decimal_of(text: str) -> int | float:
    """The number that a text is; ValueError if it is none, or too large for a double."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a number")
    number = float(text)
    if math.isinf(number):
        raise ValueError("out of range")
    return number


def _boolean(_options: JsonObject) -> ReadValue:
    def read(value: Json) -> bool:
        if isinstance(value, bool):
            return value
        if value in ("true", "false", ""):
            return value == "true"
        raise ValueError("neither true nor false")

    return read


def _date(options: JsonObject) -> ReadValue:
    return date_reader(str(options.get("format", DEFAULT_FORMAT)))


def _ip(_options: JsonObject) -> ReadValue:
    def read(value: Json) -> str:
        if not isinstance(value, str):
            raise ValueError("not an IP address")
        address = ipaddress.ip_address(value)
        if isinstance(address, ipaddress.IPv4Address):
            address = ipaddress.IPv6Address(f"::ffff:{address}")
        return address.packed.hex()

    return read


def _geo_point(_options: JsonObject) -> ReadValue:
    return read_point


def _binary(_options: JsonObject) -> ReadValue:
    def read(value: Json) -> None:
        if not isinstance(value, str):
            raise ValueError("not base64 text")
        base64.b64decode(value.encode(errors="replace"), validate=True)

    return read


def _number(low: int, high: int) -> FieldType:
    return FieldType("number", _whole(low, high), _COMMON | _NUMBERS)


def _real(limit: float, *more: str) -> FieldType:
    return FieldType("number", _fraction(limit), _COMMON | _NUMBERS | frozenset(more))


# OpenSearch, "Supported field types".
FIELD_TYPES: Final[dict[str, FieldType]] = {
    "keyword": FieldType(
        "keyword",
        _keyword,
        _COMMON
        | _TEXTS
        | {"ignore_above", "null_value", "normalizer", "split_queries_on_whitespace"},
    ),
    "text": FieldType(
        "text",
        _text,
        _COMMON
        | _TEXTS
        | {
            "analyzer",
            "search_analyzer",
            "search_quote_analyzer",
            "fielddata",
            "fielddata_frequency_filter",
            "index_prefixes",
            "index_phrases",
            "position_increment_gap",
            "term_vector",
        },
    ),
    "byte": _number(-(2**7), 2**7 - 1),
    "short": _number(-(2**15), 2**15 - 1),
    "integer": _number(-(2**31), 2**31 - 1),
    "long": _number(-(2**63), MAX_INT64),
    "unsigned_long": _number(0, 2**64 - 1),
    "half_float": _real(65_504.0),
    "float": _real(3.4028235677973366e38),
    "double": _real(1.7976931348623157e308),
    "scaled_float": _real(1.7976931348623157e308, "scaling_factor"),
    "boolean": FieldType("boolean", _boolean, _COMMON | {"null_value"}),
    "date": FieldType(
        "date", _date, _COMMON | {"format", "locale", "ignore_malformed", "null_value"}
    ),
    "ip": FieldType("ip", _ip, _COMMON | {"ignore_malformed", "null_value"}),
    "geo_point": FieldType(
        "geo", _geo_point, _COMMON | {"ignore_malformed", "ignore_z_value", "null_value"}
    ),
    "binary": FieldType(None, _binary, frozenset({"meta", "store", "doc_values"})),
}

# Types that Elasticsearch or OpenSearch know and this store does not: refused by name.
FOREIGN_TYPES: Final = frozenset(
    (
        *(
            "aggregate_metric_double",
            "alias",
            "annotated_text",
            "completion",
            "constant_keyword",
            "date_nanos",
        ),
        *("date_range", "dense_vector", "derived", "double_range", "flat_object", "flattened"),
        *("float_range", "geo_shape", "histogram", "integer_range", "ip_range", "join"),
        *("knn_vector", "long_range", "match_only_text", "murmur3", "percolator", "point"),
        *(
            "rank_feature",
            "rank_features",
            "search_as_you_type",
            "semantic",
            "shape",
            "sparse_vector",
        ),
        *("star_tree", "token_count", "version", "wildcard", "xy_point", "xy_shape"),
    )
)
