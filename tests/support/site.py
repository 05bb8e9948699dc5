"""A static site of the tests, on ports of its own, for pages that Chromium opens."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NODE = Path(__file__).parent.parent / "node"
BUNDLE = NODE / "node_modules" / "kuzzle-sdk" / "dist" / "kuzzle.js"
BOUND_S = 300.0


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing, in place of a line on standard error."""


@contextlib.contextmanager
def site(folder: Path) -> Iterator[int]:
    """An empty page and kuzzle-sdk's bundle; the port, on 127.0.0.1."""
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    shutil.copy(BUNDLE, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_chromium(program: str, *arguments: str) -> dict[str, Any]:
    """What a program of tests/node says once its browser is closed."""
    command = ["node", program, *arguments, str(shutil.which("chromium"))]
    ran = subprocess.run(command, cwd=NODE, capture_output=True, timeout=BOUND_S, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    said: dict[str, Any] = json.loads(ran.stdout)
    return said
