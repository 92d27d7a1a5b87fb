"""The ground of ``just bench models``: one model behind each server, all of them up, one after the other loaded."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.load import Measured, post
from bench.peer_environment import TOP
from bench.servers import process, wait_for
from zypher_jobs.testing import free_port


class Contestant(msgspec.Struct, frozen=True):
    """A server, and the largest batch that it is told; 0: what it does by itself."""

    name: str
    module: str
    max_batch_size: int = 0


OURS = Contestant("Zypher", "zypher")
UNBATCHED = Contestant("Zypher, no batches", "zypher", 1)
MOSEC = Contestant("Mosec", "mosec_models", 1)
MOSEC_16 = Contestant("Mosec, max 16", "mosec_models", 16)
LITSERVE = Contestant("LitServe", "litserve_models", 1)
LITSERVE_16 = Contestant("LitServe, max 16", "litserve_models", 16)
ALL = (OURS, UNBATCHED, MOSEC, MOSEC_16, LITSERVE, LITSERVE_16)


class Subject(msgspec.Struct, frozen=True):
    """A model, and what is sent to it over and over."""

    name: str
    title: str
    body: bytes

    def answer(self, decoded: dict[str, Any]) -> object:
        """What every server must say alike."""
        return decoded.get("digit", [round(each, 3) for each in decoded.get("embedding", [])])


DIGITS = Subject(
    "digits",
    "digits: 64 pixels, two layers, 20 kB",
    msgspec.json.encode(
        {
            "drawing": [
                *("  ####  ", " #    # ", "      # ", "   ###  "),
                *("      # ", "      # ", " #    # ", "  ####  "),
            ]
        }
    ),
)
ENCODER = Subject(
    "encoder",
    "encoder: MiniLM-L6's dimensions, float32; a query of two words in (4 tokens), 384 floats out",
    msgspec.json.encode({"tokens": [101, 2417, 6007, 102]}),
)
SUBJECTS = (DIGITS, ENCODER)


class Server(msgspec.Struct, frozen=True):
    """One that runs."""

    contestant: Contestant
    port: int
    path: str
    body: bytes

    def load(self, callers: int, seconds: float) -> Measured:
        """Each caller sends its next request when the last one is answered."""
        return post(self.port, self.path, self.body, connections=callers, seconds=seconds)


class Field:
    """Starts servers."""

    def __init__(self, directory: Path, *, peer_python: Path, redis_url: str) -> None:
        self._directory = directory
        self._peer_python = peer_python
        self._encoder = directory / "encoder.onnx"
        self._redis_url = redis_url
        command = [str(peer_python), "-m", "bench.peers.encoder", str(self._encoder)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(TOP)})

    @contextmanager
    def servers(self, subject: Subject) -> Generator[list[Server]]:
        """Every contestant's, having given the same answer."""
        with ExitStack() as stack:
            servers = [stack.enter_context(self._server(each, subject)) for each in ALL]
            answers: dict[str, object] = {}
            for server in servers:
                answer = wait_for(f"http://127.0.0.1:{server.port}{server.path}", server.body)
                answers[server.contestant.name] = subject.answer(answer.json())
            if len({repr(answer) for answer in answers.values()}) > 1:
                raise RuntimeError(f"the servers disagree: {answers}")
            yield servers

    @contextmanager
    def _server(self, contestant: Contestant, subject: Subject) -> Generator[Server]:
        port = free_port()
        environment = {
            "PYTHONPATH": str(TOP),
            "BENCH_MODEL": subject.name,
            "BENCH_MAX_BATCH": str(contestant.max_batch_size),
            "BENCH_PORT": str(port),
            "BENCH_DIGITS": str(TOP / "zypher_jobs" / "models" / "shipped" / "digits.onnx"),
            "BENCH_ENCODER": str(self._encoder),
        }
        path, command = f"/models/bench-{subject.name}/predict", [sys.executable, "-m", "zypher_jobs.cli", "api"]
        if contestant.module == "zypher":
            environment |= self._ours(subject, port)
        else:
            path = "/inference" if contestant.module == "mosec_models" else "/predict"
            command = [str(self._peer_python), "-m", f"bench.peers.{contestant.module}"]
        if contestant.module == "mosec_models":
            command += ["--address", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        with process(command, environment, self._directory / f"{contestant.name}.log"):
            yield Server(contestant, port, path, subject.body)

    def _ours(self, subject: Subject, port: int) -> Mapping[str, str]:
        return {
            "ZYPHER_PORT": str(port),
            "ZYPHER_REDIS_URL": self._redis_url,
            "ZYPHER_DATA_DIR": str(self._directory),
            "ZYPHER_MODELS": f"bench.peers.zypher_models:Bench{subject.name.title()}",
        }
