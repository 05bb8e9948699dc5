"""What is refused by name: commands of Redis, the debugger, URLs of the peer without an action."""

from __future__ import annotations

from access.natives import NATIVE
from tests.contract.actions.people import ask

UNSERVED = [
    *(
        ask(f"{controller}:{name}", "trivium.unsupported.feature", _id="key")
        for controller in ("ms", "memoryStorage")
        for name in NATIVE[controller]
    ),
    *(
        ask(f"debug:{name}", "core.debugger.native_debug_protocol_usage_denied")
        for name in ("enable", "disable", "post", "addListener", "removeListener")
    ),
    ask("index:getAutoRefresh", "api.process.action_not_found", index="lab"),
    ask("admin:resetKuzzleData", "api.process.action_not_found"),
]
