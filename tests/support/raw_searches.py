"""OpenSearch asked itself, without any of our code between: the oracle of searches."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.support.opensearch import OpenSearchServer

NAME = "oracle"
BAD = "services.storage.unexpected_bad_request"


class RawIndex:
    """One index of the server, filled anew for each example."""

    def __init__(self, server: OpenSearchServer, fields: Any) -> None:
        self._server = server
        self._ids: set[str] = set()
        self.remove()
        mapping = {"dynamic": "false", "properties": {**fields, "_own": {"type": "keyword"}}}
        setup = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
        server.ask("PUT", f"/{NAME}", {"settings": setup, "mappings": mapping})

    def remove(self) -> None:
        """Let the server forget it."""
        if NAME in self._server.ask("GET", "/_settings?expand_wildcards=all"):
            self._server.ask("DELETE", f"/{NAME}")

    def fill(self, documents: Any) -> None:
        """Hold these documents, and no others."""
        lines: list[Any] = [{"delete": {"_id": each}} for each in self._ids - set(documents)]
        for key, content in documents.items():
            lines += [{"index": {"_id": key}}, {**content, "_own": key}]
        self._ids = set(documents)
        if lines:
            told = self._send(f"/{NAME}/_bulk?refresh=true", lines)
            wrong = [each for each in told["items"] if "error" in next(iter(each.values()))]
            assert not wrong, wrong

    def search(self, bodies: list[Any]) -> list[Any]:
        """What it answers to each; the id of our error where it is one."""
        asked = []
        for body in bodies:
            sort = [*body.get("sort", []), {"_own": "asc"}]
            whole = {**_with_ties_broken(body), "sort": sort, "track_total_hits": True}
            if "search_after" in body:
                whole["search_after"] = [*body["search_after"], "\U0010ffff"]
            asked.append(whole)
        answers = zip(bodies, self._answers(asked), strict=True)
        return [_read(each, bool(body.get("sort"))) for body, each in answers]

    def _answers(self, asked: list[Any]) -> list[Any]:
        """One body that can't be read is an error of the whole request: then by halves."""
        lines = [line for body in asked for line in ({"index": NAME}, body)]
        try:
            answers: list[Any] = self._send("/_msearch", lines)["responses"]
        except urllib.error.HTTPError as error:
            with error:
                if len(asked) == 1:
                    return [json.loads(error.read())]
            half = len(asked) // 2
            return self._answers(asked[:half]) + self._answers(asked[half:])
        return answers

    def _send(self, path: str, lines: list[Any]) -> Any:
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        headers = {"content-type": "application/x-ndjson"}
        request = urllib.request.Request(self._server.url + path, data, headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def _with_ties_broken(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_ties_broken(each) for each in value]
    if not isinstance(value, dict):
        return value
    whole = {key: _with_ties_broken(each) for key, each in value.items()}
    terms = whole.get("terms")
    if isinstance(terms, dict) and isinstance(terms.get("field"), str):
        # All that its shard counts, or it drops buckets that rank low before it looks at
        # `min_doc_count`, and then counts their documents as others.
        whole["terms"] = {**terms, "shard_size": 65_535}
    if "top_hits" in whole:
        hits = whole["top_hits"]
        whole["top_hits"] = {**hits, "sort": [*hits.get("sort", []), {"_own": "asc"}]}
    return whole


def _read(answer: Any, is_sorted: bool) -> Any:
    if "error" in answer:
        return f"{BAD}: {json.dumps(answer['error'])[:300]}"
    hits = answer["hits"]
    ids = [hit["_id"] for hit in hits["hits"]]
    told = {"total": hits["total"]["value"], "ids": ids if is_sorted else sorted(ids)}
    if "aggregations" in answer:
        told["aggregations"] = answer["aggregations"]
    return told


def comparable(answer: Any) -> Any:
    """An answer without the words of its error, and what is told of hits but where they are."""
    if isinstance(answer, str) and answer.startswith(BAD):
        return BAD
    if isinstance(answer, float):
        return float(f"{answer:.12g}")
    if isinstance(answer, list):
        return [comparable(each) for each in answer]
    if isinstance(answer, dict):
        kept = {key: each for key, each in answer.items() if key not in _OF_HITS}
        return {key: comparable(each) for key, each in kept.items()}
    return answer


_OF_HITS = ("_index", "_score", "max_score", "sort", "meta")
