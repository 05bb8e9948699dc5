"""`trivium doctor`: what is wrong with this installation, in plain words."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from cryptography import x509

from router.section import without_userinfo
from router.settings import BadSettingError, OpenSearchSettings, Settings, load
from storage.contract import StoreOpenError
from storage.sqlite.backups import check, check_lock
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.inspection import Facts, facts, library_version
from trivium.cli.serve import DEFAULT_CONFIG
from trivium.stores import private_folder

_LEAST_FREE_BYTES: Final = 512 * 1_048_576
_LEAST_FEED_HOURS: Final = 24.0
_EXPIRES_SOON_S: Final = 14 * 86_400
_TIMEOUT_S: Final = 3.0

Verdict: TypeAlias = Literal["good", "odd", "bad"]


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do about it if it isn't good."""

    verdict: Verdict
    about: str
    said: str


def examine(config: Path | None, data: Path | None) -> list[Finding]:
    """Everything that can be told from outside, whether a router runs on it or not."""
    if config is None and DEFAULT_CONFIG.is_file():
        config = DEFAULT_CONFIG
    given = {} if data is None else {"storage.data": data}
    try:
        settings = load(config, os.environ, given)
    except (BadSettingError, OSError) as error:
        return [Finding("bad", "settings", str(error))]
    source = "defaults and environment" if config is None else str(config)
    found = [Finding("good", "settings", f"{source} can be used")]
    for look in (_python, _router, _stores, _private, _tls):
        found += look(settings)
    return found


def report(findings: list[Finding]) -> int:
    """Print them; the exit code: 1 if something is bad."""
    marks = {"good": "ok  ", "odd": "look", "bad": "BAD "}
    for finding in findings:
        print(f"{marks[finding.verdict]}  {finding.about}: {finding.said}")
    return int(any(finding.verdict == "bad" for finding in findings))


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("good", "python", f"{version}, SQLite {library_version()}")


def _router(settings: Settings) -> Iterator[Finding]:
    """Who has the ports."""
    host, port = settings.server.host, settings.server.port
    about = f"port {port} of {host}"
    if settings.tls.is_on or not _is_taken(host, port):
        said = "is in use" if _is_taken(host, port) else "is free: no router runs here"
        yield Finding("good", about, said)
        return
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/_ready", timeout=_TIMEOUT_S) as answer:
            node = json.load(answer).get("node", "")
        yield Finding("good", about, f"a router serves here ({node}) and is ready")
    except urllib.error.HTTPError as error:
        yield Finding("bad", about, f"a router is here but answers {error.code}: it is starting, "
                      "stopping, full or without its store; see its log")  # fmt: skip
    except (OSError, ValueError):
        yield Finding("bad", about, "another program has it; stop that, or set server.port")


def _stores(settings: Settings) -> Iterator[Finding]:
    if settings.storage.engine == "opensearch":
        yield from _opensearch(settings)
        return
    folder = settings.storage.data
    path = folder / FILE_NAME
    if not path.is_file():
        yield Finding("odd", f"store in {folder}", "there is none yet; the first start makes it")
        return
    yield _disk(folder)
    for about, file in (("documents", path), ("users", private_folder(settings) / FILE_NAME)):
        if file.is_file():
            yield from _store(about, file)


def _disk(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    said = f"{usage.free / 1_073_741_824:.1f} GB are free"
    if not os.access(folder, os.W_OK):
        return Finding("bad", f"folder {folder}", "this user can't write to it")
    if usage.free < _LEAST_FREE_BYTES:
        return Finding("bad", f"folder {folder}", f"{said}; a full disk refuses every write")
    return Finding("good", f"folder {folder}", said)


def _store(about: str, path: Path) -> Iterator[Finding]:
    fault = check(path) or check_lock(path)
    if fault is not None:
        yield Finding("bad", f"{about} in {path}", f"{fault.said}; {fault.advice}")
        return
    try:
        known = facts(path)
    except StoreOpenError as error:
        yield Finding("bad", f"{about} in {path}", str(error))
        return
    yield Finding(
        "good",
        f"{about} in {path}",
        f"{known.documents} documents in {known.collections} collections, "
        f"{known.file_bytes / 1_048_576:.1f} MB and {known.log_bytes / 1_048_576:.1f} MB of log",
    )
    if known.schema < known.newest_schema:
        said = f"{known.schema}; the next start copies the file and upgrades it"
        yield Finding("odd", f"schema of {about}", f"{said} to {known.newest_schema}")
    yield from _time(about, known)
    if about == "documents":
        yield _feed(known)


def _time(about: str, known: Facts) -> Iterator[Finding]:
    ahead_s = known.newest_ms / 1_000 - time.time()
    if ahead_s > 60:
        said = f"the newest write is {ahead_s / 60:.0f} minutes ahead of this machine's clock"
        yield Finding("odd", f"clock of {about}", f"{said}; new ones get its time until then")


def _feed(known: Facts) -> Finding:
    if not known.feed_rows:
        return Finding("good", "changes feed", "empty")
    said = f"{known.feed_rows} rows, reaching back {known.feed_hours:.1f} hours"
    if known.documents and _is_short(known):
        return Finding("odd", "changes feed", f"{said}; who is away longer begins anew: raise "
                       "storage.feed_mb")  # fmt: skip
    return Finding("good", "changes feed", said)


def _is_short(known: Facts) -> bool:
    # A young store has a short feed too, but then its first row is still there.
    return known.feed_hours < _LEAST_FEED_HOURS and known.feed_rows > 1_000_000


def _opensearch(settings: Settings) -> Iterator[Finding]:
    for node in settings.opensearch.nodes.split(","):
        yield _node(node.strip(), settings.opensearch)


def _node(url: str, settings: OpenSearchSettings) -> Finding:
    about = f"OpenSearch {without_userinfo(url)}"
    try:
        request = _health_of(url, settings)
        tls = _trusting(settings) if request.type == "https" else None
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=tls) as answer:
            status = json.load(answer).get("status")
    except urllib.error.HTTPError as error:
        return Finding("odd", about, f"answers {error.code}; are user and password right?")
    except (OSError, ValueError, HTTPException) as error:
        return Finding("bad", about, f"can't be reached: {error}")
    verdict: Verdict = "bad" if status == "red" else "good"
    return Finding(verdict, about, f"its health is {status}")


def _health_of(url: str, settings: OpenSearchSettings) -> urllib.request.Request:
    """The request, in the name of the user whom the URL or the settings tell."""
    parts = urlsplit(url)
    userinfo, _, place = parts.netloc.rpartition("@")
    username, _, password = map(unquote, userinfo.partition(":"))
    if settings.username:
        username, password = settings.username, settings.password
    request = urllib.request.Request(f"{parts.scheme}://{place}{parts.path}/_cluster/health")
    if username:
        token = b64encode(f"{username}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    return request


def _trusting(settings: OpenSearchSettings) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=settings.ca_file or None)
    if not settings.verify_certificates:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _private(settings: Settings) -> Iterator[Finding]:
    folder = private_folder(settings)
    if settings.storage.engine != "sqlite" or not folder.is_dir():
        return
    if folder.stat().st_mode & 0o077:
        yield Finding("bad", f"folder {folder}", "others may look into it; chmod 700 it")
    else:
        yield Finding("good", f"folder {folder}", "only its owner may look into it")


def _tls(settings: Settings) -> Iterator[Finding]:
    if not settings.tls.is_on:
        return
    about = f"certificate {settings.tls.certificate}"
    try:
        text = Path(settings.tls.certificate).read_bytes()
        certificate = x509.load_pem_x509_certificate(text)
    except (OSError, ValueError) as error:
        yield Finding("bad", about, f"can't be read: {error}")
        return
    ends = certificate.not_valid_after_utc
    left_s = ends.timestamp() - time.time()
    verdict: Verdict = "bad" if left_s < 0 else "odd" if left_s < _EXPIRES_SOON_S else "good"
    yield Finding(verdict, about, f"valid until {ends:%Y-%m-%d}")


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TIMEOUT_S)
        return probe.connect_ex((host, port)) == 0
