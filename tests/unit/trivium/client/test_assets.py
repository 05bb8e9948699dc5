"""Sending rows in pieces: outcomes are added up, one refused piece ends it."""

import pytest

from router.errors import RouterError
from trivium.client.assets import Refusal, import_assets
from trivium.client.chunks import Row

ROWS = [Row(line, [f"{'x' * 1000}{line}"]) for line in range(2, 402)]


class Importing:
    """A router that takes pieces in, and refuses rows that a test marks."""

    def __init__(self, *, bad: frozenset[int] = frozenset(), fails_at: int = 10**9) -> None:
        self.pieces: list[dict] = []
        self._bad = {f"{'x' * 1000}{line}" for line in bad}
        self._fails_at = fails_at

    async def query(self, request):
        self.pieces.append(request)
        if len(self.pieces) >= self._fails_at:
            return {"error": RouterError("api.process.overloaded").to_json()}
        rows = request["body"]["csv"].splitlines()[1:]
        errors = [
            {"line": number, "reason": "bad", "status": 400}
            for number, row in enumerate(rows, start=2)
            if row in self._bad
        ]
        stored = [row for row in rows if row not in self._bad]
        return {"error": None, "result": {"successes": stored, "errors": errors}}

    async def close(self):
        pass


async def test_every_row_is_sent_once_and_counted():
    router, moved = Importing(), []
    imported = await import_assets(router, "fleet", ["reference"], ROWS, on_progress=moved.append)
    assert (imported.stored, imported.refusals, sum(moved)) == (400, [], 400)
    sent = [row for piece in router.pieces for row in piece["body"]["csv"].splitlines()[1:]]
    assert sorted(sent) == sorted(row.cells[0] for row in ROWS)
    assert len(router.pieces) > 2


async def test_refused_rows_are_named_by_their_lines_in_order():
    router = Importing(bad=frozenset({3, 200, 401}))
    imported = await import_assets(router, "fleet", ["reference"], ROWS)
    assert imported.refusals == [Refusal(line, "bad") for line in (3, 200, 401)]
    assert imported.stored == 397


async def test_a_refused_piece_ends_the_import():
    router = Importing(fails_at=2)
    with pytest.raises(RouterError) as refused:
        await import_assets(router, "fleet", ["reference"], ROWS)
    assert refused.value.id == "api.process.overloaded"
    assert len(router.pieces) < 4


@pytest.mark.parametrize("upsert", [True, False])
async def test_assets_that_exist_are_merged_only_when_asked(upsert):
    router = Importing()
    await import_assets(router, "fleet", ["reference"], ROWS[:1], upsert=upsert)
    assert ("upsert" in router.pieces[0]) is upsert
