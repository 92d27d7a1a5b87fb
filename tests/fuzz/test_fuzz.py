"""A short run of what ``just fuzz`` does for ten minutes."""

from pathlib import Path

from tests.fuzz.run import Plan, run_fuzz


async def test_every_answer_is_as_the_document_says(tmp_path: Path) -> None:
    """All checks of schemathesis, keys on: no status, header or body that is not documented, no 5xx, no bad input
    taken, no good one refused, nothing without a key."""
    well, output = await run_fuzz(Plan(cases=5), tmp_path)
    print(output)
    assert well
