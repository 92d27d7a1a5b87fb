"""``Graph``: what an ONNX file takes and gives, and which of its dimensions holds the predictions of a batch."""

import hashlib
import importlib
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from zypher_jobs.contracts.model import Datatype, ModelManifest
from zypher_jobs.errors import ModelDefinitionError

importlib.import_module("numpy")  # all of it: onnxruntime takes what another thread has half imported, and fails
_onnxruntime: Any = importlib.import_module("onnxruntime")  # it has no types

_DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_MAPS = {"seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))"}
"""What scikit-learn's converter makes of probabilities (ZipMap): one mapping from class to probability per row."""
_ONLY_ERRORS = 3


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str
    kind: str
    """ONNX's: ``tensor(float)``."""
    dims: tuple[int | str, ...]
    """A size, a name for sizes that are equal, or "" for any. Also empty where the graph does not know its rank."""

    @property
    def datatype(self) -> Datatype | None:
        """``None``: it is no tensor that Zypher knows."""
        return _DATATYPES.get(self.kind)

    @property
    def is_maps(self) -> bool:
        """Whether it is one mapping from class to probability per row."""
        return self.kind in _MAPS

    def __str__(self) -> str:
        return f"{self.name!r}: {self.kind}[{', '.join(str(dim or '?') for dim in self.dims)}]"


class Batch(Enum):
    """What the first dimension of a graph's tensors is."""

    ANY = "as many predictions as there are"
    ONE = "one prediction: 1, fixed when it was exported"
    NONE = "part of the prediction"


class Graph(NamedTuple):
    """What a file takes and gives."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batch: Batch

    @property
    def items(self) -> tuple[Port, ...]:
        """The inputs as one prediction has them."""
        return tuple(self.item(port) for port in self.inputs)

    def item(self, port: Port) -> Port:
        """An input or output as one prediction has it."""
        return port if self.batch is Batch.NONE else port._replace(dims=port.dims[1:])


def read_file(manifest: ModelManifest, directory: Path) -> bytes:
    """The file of a manifest, once its digest is what it should be; raises ``ModelDefinitionError``."""
    if manifest.file is None:
        raise refusal(manifest, "it needs `file`, the ONNX file beside its manifest")
    path = directory / manifest.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal(manifest, f"its file {path} cannot be read ({error.strerror})") from None
    if manifest.sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != manifest.sha256:
        raise refusal(manifest, f"its file {manifest.file} has the SHA-256 {found}, not that of its manifest")
    return content


def open_session(manifest: ModelManifest, content: bytes, directory: Path, *, only_read: bool = False) -> Any:
    """An ``onnxruntime.InferenceSession``; raises ``ModelDefinitionError`` where the file is none, or incomplete."""
    options = _onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_ERRORS
    options.intra_op_num_threads = manifest.threads
    options.inter_op_num_threads = 1
    folder = (directory / (manifest.file or "")).parent
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder.resolve()))
    if only_read:
        options.graph_optimization_level = _onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return _onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise refusal(manifest, f"its file {manifest.file} is no ONNX model that can be run ({error})") from error


def read_graph(session: Any) -> Graph:
    """What an open file takes and gives."""
    inputs = tuple(_port(each) for each in session.get_inputs())
    outputs = tuple(_port(each) for each in session.get_outputs())
    return Graph(inputs, outputs, _batch(inputs, outputs))


def run_options() -> Any:
    """A fresh ``onnxruntime.RunOptions``; ``terminate = True`` ends the run between two nodes, from any thread."""
    return _onnxruntime.RunOptions()


def refusal(manifest: ModelManifest, reason: str) -> ModelDefinitionError:
    """The error for a model that cannot be served."""
    return ModelDefinitionError(f"Model {manifest.name!r}: {reason.rstrip('.')}.")


def _port(argument: Any) -> Port:
    dims = tuple(dim if isinstance(dim, int) and dim >= 0 else _name(dim) for dim in argument.shape or ())
    return Port(argument.name, argument.type, dims)


def _name(dim: object) -> str:
    """Of a dimension; exporters call those that they know nothing of ``unk__7``."""
    return dim if isinstance(dim, str) and not dim.startswith("unk__") else ""


def _batch(inputs: Sequence[Port], outputs: Sequence[Port]) -> Batch:
    if not inputs or not all(port.dims for port in inputs):
        return Batch.NONE
    firsts = [port.dims[0] for port in inputs]
    given = [port.dims[0] for port in outputs if port.dims]
    if all(dim == 1 for dim in firsts + given):
        return Batch.ONE
    names = {dim for dim in firsts if dim != ""}
    others = {dim for port in inputs for dim in port.dims[1:]}
    all_vary = all(isinstance(dim, str) for dim in firsts + given)
    return Batch.ANY if all_vary and len(names) <= 1 and not names & others else Batch.NONE
