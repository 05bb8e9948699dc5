"""Tasks that go on beside all else until they are ended."""

from __future__ import annotations

import asyncio


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task, if there is one, and wait until it is over, whatever it raises."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
