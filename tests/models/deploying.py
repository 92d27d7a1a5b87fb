"""ONNX files to deploy, whose answers say which of them it is, and processes that follow, in one event loop."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
import onnx
import onnx.parser

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.deployer import Deployer
from zypher_jobs.models.rollout import Rollout
from zypher_jobs.models.store import ModelStore, store_of
from zypher_jobs.models.store.incoming import Incoming
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.settings import Settings

GRAPH = """<ir_version: 10, opset_import: ["" : 21]>
adds (float[N, 1] x) => (float[N, 1] y) {{
    by = Constant<value_float = {by}>()
    y = Add(x, by)
}}"""


def adds(by: float) -> bytes:
    """A model that adds ``by``."""
    return onnx.parser.parse_model(GRAPH.format(by=float(by))).SerializeToString()


def sha256_of(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


class Process:
    """What an API or a worker process has for deployments."""

    def __init__(self, settings: Settings, process_id: str, *, part: Literal["api", "worker"] = "api") -> None:
        self.settings = settings
        self.queue = PredictionQueue.from_settings(settings)
        self.registry = ModelRegistry.from_settings(settings)
        self.deployments = Deployments(self.queue)
        self.store: ModelStore = store_of(settings)
        self.deployer = Deployer(
            self.registry,
            self.deployments,
            self.store,
            process_id=process_id,
            part=part,
            kept_loaded=settings.models_kept_loaded,
        )
        self.rollout = Rollout(
            self.registry, self.deployer, self.deployments, self.store, timeout_s=settings.deploy_timeout_s
        )

    async def upload(self, version: str, content: bytes, *, check: bool = False, **said: Any) -> None:
        """As the route does; without the check, which costs a process."""
        given = {"name": "adds", "version": version, "sha256": sha256_of(content), **said}
        manifest = msgspec.convert(given, ModelManifest)
        async with Incoming(self.settings.data_dir / "models", max_bytes=1_000_000) as incoming:
            await incoming.write(content)
            await incoming.finish(manifest.sha256 or "")
            await (self.rollout.upload if check else self.rollout.admit)(manifest, incoming)

    async def ask(self, x: float, version: str | None = None) -> tuple[str, float]:
        """Which version answers, and what."""
        served = self.registry.get("adds", version)
        output = await served.run(served.convert({"x": x}), timeout_s=20)
        return served.version, msgspec.json.decode(served.encode(output))["y"]

    def state(self, version: str) -> str:
        """Of a version here."""
        state = self.deployer.states().get(f"adds@{version}")
        return "unknown" if state is None else state.state


@asynccontextmanager
async def following(
    settings: Settings, process_id: str = "api-1", *, part: Literal["api", "worker"] = "api"
) -> AsyncGenerator[Process]:
    """A process that follows until the block is left."""
    process = Process(settings, process_id, part=part)
    await process.deployer.start()
    await process.registry.load_all()
    await process.deployer.settled()
    try:
        yield process
    finally:
        await process.deployer.close()
        await process.registry.close()
        await process.queue.aclose()
