"""The environment of the peers: they want other versions than Zypher does."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PEERS = TOP / "bench" / "peers"


def peer_python() -> Path:
    """The peers' interpreter: ``ZYPHER_BENCH_PYTHON``, else ``.venv-bench``, made or brought up to date first."""
    if given := os.environ.get("ZYPHER_BENCH_PYTHON"):
        return Path(given)
    lock, environment = PEERS / "requirements.txt", TOP / ".venv-bench"
    python, stamp = environment / "bin" / "python", environment / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        print("Making the environment of the peers in .venv-bench.", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(environment)], check=True)
        uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--python", str(python)]
        subprocess.run([*uv, "--require-hashes", "-r", str(lock)], check=True)
        stamp.write_bytes(lock.read_bytes())
    return python
