"""Documents and searches to draw, over one mapping with a field of each kind."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

FIELDS: dict[str, Any] = {
    "key": {"type": "keyword", "fields": {"low": {"type": "keyword", "normalizer": "lowercase"}}},
    "num": {"type": "long"},
    "real": {"type": "double"},
    "flag": {"type": "boolean"},
    "note": {"type": "text"},
    "day": {"type": "date"},
    "spot": {"type": "geo_point"},
    "obj": {"properties": {"key": {"type": "keyword"}, "num": {"type": "integer"}}},
    "parts": {
        "type": "nested",
        "properties": {
            "key": {"type": "keyword"},
            "num": {"type": "integer"},
            "note": {"type": "text"},
            "spot": {"type": "geo_point"},
            "deep": {"type": "nested", "properties": {"num": {"type": "long"}}},
        },
    },
}
IDS = [f"d{number}" for number in range(10)]

TEXTS = st.sampled_from(
    ["", "a", "A", "b", "ab", "aab", "ba", "a.b", "a*b", "a?b", "é", "x\ny", "\U0001f600", "AB-12"]
)
SMALL = st.integers(-3, 3)
REALS = st.sampled_from([-1.5, 0.0, 0.1, 0.5, 1.0, 2.25]) | SMALL
DAYS = st.sampled_from(
    [
        *(0, 1_767_225_600_000, "2026-01-31", "2025-12-31T23:59:59.999Z", "2026-03-29T01:30:00Z"),
        *("2026-03-29T00:30:00+01:00", "2026-01-01T12:00:00Z", "1969-12-31T23:00:00Z"),
    ]
)
SPOTS = st.sampled_from(
    [[0.1, 0.1], [2.35, 48.85], [179.9, 0.2], [-179.9, -0.3], [10.0, 60.0], [-70.5, -33.4]]
)


NOTES = st.sampled_from(
    [
        *("The quick brown fox", "quick fox", "Brown-fox jumps", "foo.bar 1.5 it's", "", "!!!"),
        *("ÉTÉ à Paris", "日本語 テスト", "fox fox quick", "the the", "wi-fi x_y", "ภาษาไทย 😀 ok"),
    ]
)
ASKED = st.sampled_from(
    [
        *("quick", "Quick FOX", "fox quick", "brown fox jumps", "fo", "the", "été", "本", "語 テ"),
        *("it's", "foo.bar", "foo", "wi fi", "x", "", "...", "1.5", "true", "2026-01-31", "b", "a"),
        *("😀", "ภาษาไทย", "the t", "quick br", "fox f"),
    ]
)


def maybe_many(values: Any) -> Any:
    return st.none() | values | st.lists(st.none() | values, max_size=3, unique_by=repr)


PART = st.fixed_dictionaries(
    {},
    optional={
        "key": maybe_many(TEXTS),
        "num": maybe_many(SMALL),
        "note": maybe_many(NOTES),
        "spot": SPOTS,
        "deep": maybe_many(st.fixed_dictionaries({}, optional={"num": maybe_many(SMALL)})),
    },
)
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "key": maybe_many(TEXTS),
        "num": maybe_many(SMALL),
        "real": maybe_many(REALS),
        "flag": maybe_many(st.booleans()),
        "note": maybe_many(NOTES),
        "day": maybe_many(DAYS),
        "spot": st.none() | SPOTS | st.lists(SPOTS, max_size=2),
        "obj": maybe_many(
            st.fixed_dictionaries({}, optional={"key": maybe_many(TEXTS), "num": maybe_many(SMALL)})
        ),
        "parts": maybe_many(PART),
    },
)
DOCUMENTS = st.dictionaries(st.sampled_from(IDS), DOCUMENT, max_size=10)

BAD_QUERIES: list[Any] = [
    *({"regexp": {"key": pattern}} for pattern in ("[", "(a", "a)", "\\", "a{2", "a{3,2}")),
    *({"term": {"day": text}} for text in ("now/x", "2026-01-31||1d", "now+", "now-1", "||/d")),
    {"range": {"day": {"gt": "now", "time_zone": "Mars/Olympus"}}},
    {"prefix": {"num": "1"}},
    {"term": {"flag": ""}},
    {"prefix": {"_id": "d"}},
    {"wildcard": {"day": "2*"}},
    {"regexp": {"flag": "t.*"}},
    {"geo_polygon": {"spot": {"points": [[0, 0], [1, 1]]}}},
    {"geo_bounding_box": {"spot": {"top": 1, "left": 0, "bottom": 1, "right": 1}}},
    {"geo_bounding_box": {"spot": {"top": 0, "left": 0, "bottom": 1, "right": 1}}},
    {"geo_bounding_box": {"spot": {"top_left": [0, 0]}}},
    {"geo_bounding_box": {"num": {"top": 1, "left": 0, "bottom": 0, "right": 1}}},
]

KEYWORDS = st.sampled_from(["key", "key.low", "obj.key", "note"])
PATTERNS = st.sampled_from(
    ["*", "a*", "*b", "?", "a?b", "A*", "a\\*b", "*.*", "", "??", "x*y", "a*b*", "*-1?", "AB-12"]
)
REGEXPS = st.sampled_from(
    [
        *(
            "a.*",
            "a|b",
            "[ab]+",
            "[^a]*",
            "a?b",
            "(ab|ba)+",
            ".",
            "a\\.b",
            "a\\*b",
            "x.y",
            ".{2,3}",
        ),
        *(
            "A.*",
            "\\w+",
            "\\d*",
            "[a-z]{1,2}",
            "^a",
            "a$",
            "AB\\-[0-9]+",
            "a{2}b",
            "()",
            "a||b",
            "",
        ),
        *("a~b", "<1-2>", "a&b", "a@", "a**", "x\\sy", "é", "[^\\w]+", "[é-ë]"),
    ]
)
MATH = st.sampled_from(
    [
        *("now", "now-1d/d", "now+1y/y", "2026-01-31||", "2026-01-31||/M", "2026-01-31||+1M"),
        *("2026-01-31||-1d/d", "2026-03-29||/d", "2026-01-31T12:00:00Z||/d-1h", "2026||/w", "2026"),
        *("2026-01", "2026-01-31", "2025-12-31T23", "1767225600000"),
    ]
)
ZONES = st.sampled_from(["+01:00", "Europe/Paris", "UTC", "-05:30"])
POINTS = st.fixed_dictionaries(
    {
        "lat": st.sampled_from([-80.5, -10.5, 0.5, 45.5, 70.5]),
        "lon": st.sampled_from([-179.95, -71.5, -0.5, 5.5, 11.5, 179.5]),
    }
)
SHAPES = st.sampled_from(
    [
        [[-1, -1], [-1, 4], [4, 4], [4, -1]],
        [[0, 40], [0, 70], [20, 70]],
        [[-100, -50], [-50, -50], [-60, 10], [-90, 12]],
        [[-10, -10], [30, 65], [30, -10], [-10, 65]],
    ]
)


def text_queries() -> Any:
    field = st.sampled_from(
        ["note", "note", "note", "key", "key.low", "num", "day", "flag", "none"]
    )
    options = st.fixed_dictionaries(
        {"query": ASKED},
        optional={
            "operator": st.sampled_from(["or", "AND"]),
            "minimum_should_match": st.sampled_from([1, 2, "50%", -1, "100%"]),
            "zero_terms_query": st.sampled_from(["none", "all"]),
        },
    )
    lenient = st.builds(lambda f, o: {"match": {f: {**o, "lenient": True}}}, field, options)
    kinds = ["best_fields", "most_fields", "phrase", "phrase_prefix"]
    fields = [["*"], ["note", "key"], ["no*", "obj.*^2"], ["note"], [], ["none"]]
    return st.one_of(
        st.builds(lambda v: {"match": {"note": v}}, ASKED),
        st.builds(lambda v: {"match_phrase": {"note": v}}, ASKED),
        st.builds(lambda v: {"match_phrase_prefix": {"note": {"query": v}}}, ASKED),
        st.builds(lambda v: {"term": {"note": v}}, ASKED),
        lenient,
        st.builds(
            lambda v, kind, names: {
                "multi_match": {"query": v, "type": kind, "fields": names, "lenient": True}
            },
            ASKED,
            st.sampled_from(kinds),
            st.sampled_from(fields),
        ),
        st.builds(
            lambda v: {"multi_match": {"query": v, "type": "phrase_prefix", "fields": ["*"]}}, ASKED
        ),
        st.builds(lambda v: {"multi_match": {"query": v}}, ASKED),
    )


@st.composite
def leaf_queries(draw: Any) -> Any:
    keyword = draw(KEYWORDS)
    bounds = {}
    for side in draw(
        st.sampled_from([["gt"], ["gte"], ["lt"], ["lte"], ["gte", "lt"], ["gt", "lte"]])
    ):
        bounds[side] = draw(MATH | DAYS)
    if draw(st.booleans()):
        bounds["time_zone"] = draw(ZONES)
    return draw(
        st.one_of(
            st.builds(lambda v: {"term": {keyword: v}}, TEXTS),
            st.builds(lambda v: {"terms": {keyword: v}}, st.lists(TEXTS, max_size=4)),
            st.builds(lambda v: {"prefix": {keyword: v}}, TEXTS),
            st.builds(lambda v: {"wildcard": {keyword: v}}, PATTERNS),
            st.builds(lambda v: {"regexp": {keyword: v}}, REGEXPS),
            st.just({"range": {"day": bounds}}),
            text_queries(),
            text_queries(),
            st.builds(lambda v: {"term": {"day": v}}, MATH),
            st.builds(
                lambda f, v: {"range": {f: v}},
                st.sampled_from(["num", "real", "obj.num"]),
                st.fixed_dictionaries({"gte": SMALL}, optional={"lt": SMALL}),
            ),
            st.builds(lambda f: {"exists": {"field": f}}, st.sampled_from([*FIELDS, "none"])),
            st.builds(
                lambda one, two: {
                    "geo_bounding_box": {"spot": {"top_left": one, "bottom_right": two}}
                },
                POINTS,
                POINTS,
            ),
            st.builds(lambda shape: {"geo_polygon": {"spot": {"points": shape}}}, SHAPES),
            st.builds(
                lambda place, km: {"geo_distance": {"distance": f"{km}km", "spot": place}},
                POINTS,
                st.sampled_from([1, 50, 500, 5_000]),
            ),
        )
    )


def bool_queries(inner: Any) -> Any:
    several = st.lists(inner, max_size=3)
    kinds = {"must": several, "should": several, "must_not": several, "filter": several}
    return st.builds(lambda v: {"bool": v}, st.fixed_dictionaries({}, optional=kinds))


def within(path: str, query: Any) -> Any:
    return {"nested": {"path": path, "query": query}}


def part_queries() -> Any:
    """Questions to one nested object; some about fields that it doesn't have."""
    deep = st.builds(lambda v: within("parts.deep", {"term": {"parts.deep.num": v}}), SMALL)
    return st.one_of(
        st.builds(lambda v: {"term": {"parts.key": v}}, TEXTS),
        st.builds(lambda v: {"match": {"parts.note": v}}, ASKED),
        st.builds(lambda v: {"match_phrase": {"parts.note": v}}, ASKED),
        st.builds(lambda v: {"range": {"parts.num": {"gte": v}}}, SMALL),
        st.builds(lambda v: {"prefix": {"parts.key": v}}, TEXTS),
        st.builds(
            lambda f: {"exists": {"field": f}},
            st.sampled_from(["parts", "parts.num", "parts.note", "parts.deep", "key", "none"]),
        ),
        st.builds(
            lambda place: {"geo_distance": {"distance": "500km", "parts.spot": place}}, POINTS
        ),
        st.builds(lambda v: {"multi_match": {"query": v}}, ASKED),
        st.builds(lambda v: {"term": {"num": v}}, SMALL),
        st.just(within("parts.deep", {"match_all": {}})),
        st.just({"match_all": {}}),
        deep,
    )


def nested_queries() -> Any:
    parts = st.recursive(part_queries(), bool_queries, max_leaves=4)
    return st.one_of(
        st.builds(lambda q: within("parts", q), parts),
        st.builds(lambda v: within("parts.deep", {"range": {"parts.deep.num": {"lt": v}}}), SMALL),
        st.builds(lambda v: {"term": {"parts.key": v}}, TEXTS),
    )


QUERIES = st.recursive(leaf_queries() | nested_queries(), bool_queries, max_leaves=5)
SORT_KEYS = st.builds(
    lambda field, order, missing: {field: {"order": order, "missing": missing}},
    st.sampled_from(["key", "num", "real", "flag", "day", "obj.num"]),
    st.sampled_from(["asc", "desc"]),
    st.sampled_from(["_first", "_last"]),
)
NUMERIC = st.sampled_from(["num", "real", "flag", "day", "none"])
COUNTED = st.sampled_from(["key", "key.low", "num", "real", "flag", "day", "obj.num", "none"])
MEASURES = st.one_of(
    st.builds(
        lambda kind, field: {kind: {"field": field}},
        st.sampled_from(["min", "max", "avg", "sum", "stats", "value_count", "percentiles"]),
        NUMERIC,
    ),
    st.builds(lambda field: {"cardinality": {"field": field}}, COUNTED),
    st.builds(
        lambda field, percents, keyed: {
            "percentiles": {"field": field, "percents": percents, "keyed": keyed}
        },
        NUMERIC,
        st.lists(st.sampled_from([0, 12.5, 50, 99.9, 100]), min_size=1, max_size=3, unique_by=repr),
        st.booleans(),
    ),
    st.just({"top_hits": {"size": 2, "sort": [{"num": "asc"}], "_source": ["key"]}}),
)
INTERVALS = st.sampled_from(
    [
        *({"calendar_interval": unit} for unit in ("year", "quarter", "1M", "week", "1d")),
        *({"fixed_interval": text} for text in ("30d", "12h", "90m")),
        {"interval": "month"},
    ]
)
LEAST = st.sampled_from([{}, {"min_doc_count": 1}, {"min_doc_count": 2, "keyed": True}])
BUCKETS = st.one_of(
    st.builds(
        lambda field, size, order, least: {
            "terms": {"field": field, "size": size, "order": order, "min_doc_count": least}
        },
        COUNTED | st.just("_id"),
        st.sampled_from([1, 3, 10]),
        st.sampled_from(
            [{"_count": "desc"}, {"_key": "asc"}, {"_key": "desc"}, [{"_count": "asc"}]]
        ),
        st.sampled_from([1, 2]),
    ),
    st.builds(
        lambda interval, zone, least: {
            "date_histogram": {
                "field": "day",
                **interval,
                **zone,
                "min_doc_count": 1,
                "keyed": least,
            }
        },
        INTERVALS,
        st.sampled_from([{}, {"time_zone": "+01:00"}, {"time_zone": "-05:30"}]),
        st.booleans(),
    ),
    st.builds(
        lambda unit, zone: {
            "date_histogram": {"field": "day", "calendar_interval": unit, "time_zone": zone}
        },
        st.sampled_from(["year", "quarter", "1M"]),
        ZONES,
    ),
    st.builds(
        lambda field, interval, offset, least: {
            "histogram": {"field": field, "interval": interval, "offset": offset, **least}
        },
        st.sampled_from(["num", "real", "obj.num", "none"]),
        st.sampled_from([0.5, 1, 2]),
        st.sampled_from([0, 0.25, 3]),
        LEAST,
    ),
    st.builds(
        lambda field, ranges, keyed: {"range": {"field": field, "ranges": ranges, "keyed": keyed}},
        st.sampled_from(["num", "real", "none"]),
        st.lists(
            st.fixed_dictionaries({"from": SMALL}, optional={"to": SMALL}) | st.just({"to": 1.5}),
            min_size=1,
            max_size=3,
        ),
        st.booleans(),
    ),
    st.builds(lambda query: {"filter": query}, QUERIES),
    st.builds(
        lambda one, two, other: {"filters": {"filters": {"x": one, "y": two}, **other}},
        QUERIES,
        QUERIES,
        st.sampled_from([{}, {"other_bucket": True}, {"other_bucket_key": "rest"}]),
    ),
    st.builds(lambda one, two: {"filters": {"filters": [one, two]}}, QUERIES, QUERIES),
)


def with_subs(buckets: Any, inner: Any) -> Any:
    named = st.dictionaries(st.sampled_from(["m", "n"]), inner, max_size=2)
    return st.builds(
        lambda each, subs: {**each, **({"aggs": subs} if subs else {})}, buckets, named
    )


BY_A_NUMBER = st.builds(
    lambda field, way, measure, part: {
        "terms": {"field": field, "order": {part: way}},
        "aggs": {"s": {measure: {"field": "num"}}},
    },
    COUNTED,
    st.sampled_from(["asc", "desc"]),
    st.sampled_from(["sum", "value_count", "cardinality"]),
    st.just("s"),
)
AGGREGATIONS = st.dictionaries(
    st.sampled_from(["a", "b c"]),
    MEASURES | BY_A_NUMBER | with_subs(BUCKETS, MEASURES | with_subs(BUCKETS, MEASURES)),
    min_size=1,
    max_size=2,
)
SEARCHES: Any = st.fixed_dictionaries(
    {"query": QUERIES | st.just({"match_all": {}}), "size": st.sampled_from([0, 100, 100])},
    optional={
        "sort": st.lists(SORT_KEYS, max_size=2),
        "post_filter": QUERIES,
        "aggs": AGGREGATIONS,
    },
)
