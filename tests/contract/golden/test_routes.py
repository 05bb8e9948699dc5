"""The HTTP routes of users, rights and credentials, as the peer lists them; SDKs choose by them."""

from __future__ import annotations

import pytest

from tests.contract.golden.replay import exchanges
from tests.support.inprocess import in_process

NOT_YET = {
    "security": {"createApiKey", "deleteApiKey", "revokeTokens", "searchApiKeys"},
    "auth": {
        *("createApiKey", "createToken", "deleteApiKey", "login", "logout", "refreshToken"),
        "searchApiKeys",
    },
    "admin": {
        *("dump", "loadFixtures", "loadMappings", "refreshIndexCache", "resetCache"),
        *("resetDatabase", "shutdown"),
    },
}


@pytest.mark.parametrize("controller", NOT_YET)
async def test_routes_are_the_peers(controller: str) -> None:
    [recorded] = [each for each in exchanges("http") if each["name"] == "server:publicApi"]
    theirs = recorded["response"]["body"]["result"][controller]
    async with in_process() as router:
        ours = (await router.result("server:publicApi"))[controller]
    for name, described in theirs.items():
        if name in ours or name not in NOT_YET[controller]:
            assert ours[name] == described
