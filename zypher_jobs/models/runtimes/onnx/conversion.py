"""``Conversion``: inputs → tensors → outputs; made from the graph (``Plain``) or written by a user (``Hooked``)."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models.definition import DEFAULT_BATCH_CONCURRENCY, ModelDefinition
from zypher_jobs.models.runtimes.onnx.graph import Batch, Graph, refusal


class Feed(NamedTuple):
    """The tensors of one run."""

    tensors: dict[str, Any]
    members: Sequence[int]
    """Which of the inputs are in them, in order."""


class Conversion(Protocol):
    """What stands before and after the graph."""

    definition: ModelDefinition

    def load(self) -> None:
        """Get ready."""
        ...

    def feeds(self, inputs: Sequence[Any]) -> list[Feed]:
        """The runs that a batch needs."""
        ...

    def split(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """The output tensors of a run → one output for each of its inputs; raises ``PredictionFailed``."""
        ...


def limits(manifest: ModelManifest, graph: Graph) -> dict[str, Any]:
    """What of a definition does not depend on types; raises ``ModelDefinitionError``."""
    is_batched = graph.batch is Batch.ANY
    if not is_batched and (manifest.max_batch_size or 1) > 1:
        raise refusal(
            manifest,
            "`max_batch_size` cannot be kept: the first dimension of its graph's tensors does not vary; "
            "leave it out, or export the graph with a dynamic batch dimension",
        )
    if manifest.memory_limit_mb is not None and manifest.isolation != "process":
        raise refusal(manifest, '`memory_limit_mb` needs `isolation = "process"`: a thread cannot be limited')
    fewest = 1 if manifest.isolation == "process" else DEFAULT_BATCH_CONCURRENCY
    return {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description or f"The ONNX model {manifest.name}.",
        "takes_many": is_batched,
        "has_own_example": manifest.input_example is not None,
        "max_batch_size": manifest.max_batch_size if is_batched else 1,
        "max_wait_ms": manifest.max_wait_ms,
        "concurrency": manifest.concurrency or fewest,
        "isolation": manifest.isolation,
        "memory_limit_mb": manifest.memory_limit_mb,
        "cache_s": manifest.cache_s,
    }
