"""The connection to the server; the one module that knows its library."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson
import structlog
from opensearchpy import AIOHttpConnection, AsyncOpenSearch
from opensearchpy.exceptions import ConnectionError as LostError
from opensearchpy.exceptions import ConnectionTimeout, OpenSearchException, TransportError
from opensearchpy.serializer import JSONSerializer

from router.envelope import Json, JsonObject
from router.settings import OpenSearchSettings
from storage.opensearch.faults import RefusedError, UnreachableError

_log = structlog.get_logger("storage.opensearch")

_LARGE_BYTES: Final = 1_048_576
"""Of longer bodies aiohttp warns, unless they can be read in pieces."""

_NEVER_S: Final = 0
"""What aiohttp takes for no timeout."""

_LINES: Final = {"content-type": "application/x-ndjson"}

# It writes a traceback for each request that fails; who asked is told, and says so once.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


class Client:
    """Requests to the nodes of the settings, in turns."""

    def __init__(self, settings: OpenSearchSettings) -> None:
        nodes = [node.strip() for node in settings.nodes.split(",") if node.strip()]
        more: dict[str, Any] = {"ca_certs": settings.ca_file} if settings.ca_file else {}
        if settings.username:
            more["headers"] = {"authorization": _basic(settings.username, settings.password)}
        if any(node.startswith("https:") for node in nodes):
            more |= {"verify_certs": settings.verify_certificates, "ssl_show_warn": False}
        self._max_bytes = settings.batch_bytes
        self._client = AsyncOpenSearch(
            nodes,
            timeout=settings.timeout_s,
            # Another node may answer where one doesn't.
            max_retries=len(nodes) - 1,
            maxsize=settings.connections,
            serializer=_Serializer(),
            connection_class=_Connection,
            **more,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
        # The library leaves those to nodes that it takes for dead open.
        every: list[Any] = list(self._client.transport.seed_connections)
        for connection in every:
            await connection.close()

    async def request(
        self,
        method: str,
        *path: str,
        body: JsonObject | bytes | None = None,
        params: dict[str, str] | None = None,
    ) -> JsonObject:
        """What the server answers.

        Args:
            path: Parts of the path, not quoted.
            body: JSON; bytes are lines of JSON.

        Raises:
            RefusedError, UnreachableError
        """
        url = "/" + "/".join(quote(part, safe="*,") for part in path)
        sent = orjson.dumps(body) if isinstance(body, dict) else body
        headers = _LINES if isinstance(body, bytes) else None
        with _mapped():
            answer = await self._client.transport.perform_request(
                method, url, params=params, body=sent, headers=headers
            )
        return answer if isinstance(answer, dict) else {}

    async def bulk(self, operations: Sequence[bytes]) -> list[JsonObject]:
        """Do these operations, in as few requests as their size allows; one answer for each.

        Args:
            operations: Each one line or two, with an end of line behind each.

        Raises:
            RefusedError, UnreachableError: As a whole; some may have been carried out.
        """
        answers: list[JsonObject] = []
        for chunk in _chunks(operations, self._max_bytes):
            told = await self.request(
                "POST", "_bulk", body=b"".join(chunk), params={"require_alias": "true"}
            )
            answers += [_only(item) for item in objects(told.get("items"))]
        return answers


def objects(value: Json) -> list[JsonObject]:
    """The objects of a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_at(value: Json, *path: str) -> JsonObject:
    """The object at a path; empty if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def refusal(status: int, error: Json) -> RefusedError:
    """The error that an answer, or one item of it, tells."""
    if not isinstance(error, dict):
        return RefusedError(status, "unknown", str(error))
    causes = objects(error.get("root_cause"))
    cause = object_at(error, "caused_by") or (causes[0] if causes else {})
    reasons = [str(each.get("reason")) for each in (error, cause) if each.get("reason")]
    return RefusedError(status, str(error.get("type")), "; ".join(dict.fromkeys(reasons)))


def _basic(username: str, password: str) -> str:
    """The header of basic authentication; in UTF-8, where the library has Latin-1 (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _only(item: JsonObject) -> JsonObject:
    (answer,) = objects(list(item.values()))
    return answer


def _chunks(operations: Sequence[bytes], max_bytes: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for operation in operations:
        if chunk and size + len(operation) > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += len(operation)
    if chunk:
        yield chunk


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except LostError as error:
        raise UnreachableError(_one_line(error)) from error
    except TransportError as error:
        status = error.status_code
        found: Any = error.info
        body = found.get("error") if isinstance(found, dict) else str(error.error)
        raise refusal(status if isinstance(status, int) else 500, body) from error
    except OpenSearchException as error:
        raise UnreachableError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class _Connection(AIOHttpConnection):
    """A connection whose server's warnings go to the log, and large bodies out in pieces."""

    async def perform_request(
        self,
        method: str,
        url: str,
        params: Any = None,
        body: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's way
        *more: Any,
        **most: Any,
    ) -> Any:
        if isinstance(body, bytes) and len(body) > _LARGE_BYTES:
            body = io.BytesIO(body)
        seconds: float = self.timeout if timeout is None else timeout
        try:
            # aiohttp's own takes whoever cancels in the same turn of the loop for itself.
            async with asyncio.timeout(seconds):
                return await super().perform_request(
                    method, url, params, body, _NEVER_S, *more, **most
                )
        except TimeoutError as error:
            raise ConnectionTimeout("TIMEOUT", "no answer in time", error) from error

    def _raise_warnings(self, warning_headers: Any) -> None:
        for header in warning_headers:
            _log.debug("OpenSearch warns", warning=str(header))


class _Serializer(JSONSerializer):
    """Bodies are ready bytes; answers are read by orjson."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, bytes) else orjson.dumps(data)
