"""A short, seeded run of what ``just chaos`` does for ten minutes."""

from pathlib import Path

from tests.chaos.run import Plan, run_chaos

SEED = 926
"""With this one all kinds of faults come in 8 s."""


async def test_every_202_ends_exactly_once_whatever_dies(tmp_path: Path) -> None:
    """Workers, Redis and the API are killed, stopped and cut off under load: none is lost, none ends twice."""
    plan = Plan(
        seconds=8, seed=SEED, workers=2, apis=1, lease_s=1, per_s=30, longest_ms=1500, fault_gap_s=0.5, slack_s=5
    )
    ledger = await run_chaos(plan, tmp_path)
    print("\n".join(ledger.lines()))
    assert not ledger.complaints()
    assert ledger.faults["worker SIGKILL"]
    assert ledger.faults["Redis SIGKILL"]
