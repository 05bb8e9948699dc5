"""A mosquitto of the tests' own, on a port that the system chose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.ports import lasting_port

CONFIG = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_topic_alias 4
max_keepalive 65535
"""
BOUND_S = 60.0


@contextlib.asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[int]:
    """A running one; its port."""
    port = lasting_port()
    config = folder / "mosquitto.conf"
    config.write_text(CONFIG.format(port=port))
    process = await asyncio.create_subprocess_exec(
        "mosquitto",
        "-c",
        str(config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.wait_for(_listening(port), BOUND_S)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
