"""What a model says of itself."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="In paths: a-z, 0-9, '.', '_', '-'.")]
VersionName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Such as 1 or 2024-05.")]


class BatchingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The batches of a model in the process that answers."""

    max_batch_size: int
    """At present: where the model sets none, it is found while it runs."""
    batches: int
    """So far; the halves of one that failed and ran again count too."""
    mean_batch_size: float
    waiting: int
    """Predictions that have not begun."""
    running: int
    """Batches under way."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model as ``GET /models`` shows it."""

    name: str
    version: str
    description: str
    ready: bool
    error: str | None = None
    """Why the model could not be loaded; ``None`` when ready."""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    input_example: Any
    output_example: Any
    batching: BatchingInfo | None = None
    """``None`` for a model that runs each prediction at once, as ``async def`` ones do."""


Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
"""Of a tensor's elements, as the Open Inference Protocol v2 calls them; ``BYTES`` is text."""


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as one prediction has it: without the dimension along which predictions are batched."""

    name: str
    """The graph's."""
    datatype: Datatype
    shape: tuple[int, ...]
    """-1 is any size."""

    @property
    def is_plain(self) -> bool:
        """Whether its value in JSON is no list: a single element (``()`` and ``(1,)``)."""
        return self.shape in {(), (1,)}


class Tensors(msgspec.Struct, frozen=True, kw_only=True):
    """A model's input and output as tensors: each field of the input and of the output type is one, in this order.

    A value is a plain one or nested lists; an input's may be a numpy array of that datatype and shape instead, where
    it is not queued. A mapping in an output stands for the tensor of its values.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    is_batched: bool
    """Whether the tensors of several predictions may be stacked along a new first dimension."""


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that is no Python class: an ONNX file, or a model of another inference server.

    A table ``[model.NAME]`` of ``zypher.toml`` and the manifest of an upload are one of these.
    """

    name: Name
    version: VersionName = "1"
    description: str = ""
    runtime: Literal["onnx", "remote"] = "onnx"
    file: str | None = None
    """``onnx``: the file, beside the manifest."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the file, in hex; one that differs is refused."""
    labels: list[str] | None = None
    """``onnx``: what the classes of the output are called, in their order."""
    hook: str | None = None
    """``onnx``: ``module:Class`` of what is installed here, which turns a caller's input into tensors and back."""
    url: str | None = None
    """``remote``: the server, such as ``http://triton:8000``."""
    remote_name: str | None = None
    """``remote``: what it is called there; default: ``name``."""
    remote_version: str | None = None
    """``remote``: default: whichever the server has live."""
    api_key_env: str | None = None
    """``remote``: the environment variable with the server's key, which is sent as ``Authorization: Bearer``."""
    threads: Annotated[int, Meta(ge=1)] = 1
    """``onnx``: that one run computes with; ``concurrency`` runs go on side by side."""
    max_batch_size: Annotated[int, Meta(ge=1)] | None = None
    max_wait_ms: Annotated[float, Meta(ge=0)] | None = None
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    isolation: Literal["thread", "process"] = "thread"
    """``onnx``: ``process`` runs it in a child, which a crash, a deadline or a limit ends without the others."""
    memory_limit_mb: Annotated[int, Meta(ge=1)] | None = None
    """Of such a child, in MiB."""
    cache_s: Annotated[float, Meta(ge=0)] = 0
    input_example: Any = None
    output_example: Any = None
