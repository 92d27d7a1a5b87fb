"""``python -m tests.fuzz.run --minutes 10``: every operation of the API, called in ways that nobody thought of.

schemathesis makes the calls from the OpenAPI document, good ones and bad ones, and holds each answer against it.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.process.stack import Up
from zypher_jobs.supervisor.data_dir import DataDir

CONFIG = Path(__file__).with_name("schemathesis.toml")
_OWN_TIME_S = 120
"""For what schemathesis has begun when its time is up, and for its report."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    cases: int
    """Of each operation in each phase, at most."""
    seconds: int | None = None
    """With it, fuzzing goes on until then."""
    seed: int | None = None
    """Without it, the same cases each time."""

    def arguments(self) -> list[str]:
        """For ``schemathesis run``."""
        said = ["--max-examples", str(self.cases)]
        if self.seconds is not None:
            said += ["--max-time", str(self.seconds)]
        return said + (["--generation-deterministic"] if self.seed is None else ["--seed", str(self.seed)])


async def run_fuzz(plan: Plan, directory: Path) -> tuple[bool, str]:
    """Whether all was well, and what schemathesis says; real processes with keys run in ``directory``."""
    # without `required`, a made-up call that revokes the last key would open the API to this machine again
    up = Up(directory, webhook_allow="127.0.0.0/8", auth="required")
    try:
        await up.start_and_wait()
        ended = await asyncio.to_thread(_schemathesis, plan, up)
        output = ended.stdout + ended.stderr
        return ended.returncode == 0, output
    finally:
        up.kill_everything()


def _schemathesis(plan: Plan, up: Up) -> subprocess.CompletedProcess[str]:
    """Run its command to the end: by its Python API it is meant for tests of one operation each."""
    key = DataDir(up.data_dir).local_token()  # may do all, and cannot be revoked by a call that was made up
    assert key is not None
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    where = f"{up.url}/docs/openapi.json"
    return subprocess.run(
        [*command, where, "--checks", "all", "--no-color", *plan.arguments()],
        env=os.environ | {"ZYPHER_FUZZ_KEY": key, "PYTHONPATH": str(CONFIG.parents[2])},
        cwd=up.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_OWN_TIME_S + (plan.seconds or 180),
        check=False,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="just fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="another one makes other calls (default: one of its own)")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(3))
    print(f"{given.minutes:g} minutes, --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="zypher-fuzz-") as directory:
        plan = Plan(cases=200, seconds=round(given.minutes * 60), seed=seed)
        well, output = asyncio.run(run_fuzz(plan, Path(directory)))
    print(output)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
