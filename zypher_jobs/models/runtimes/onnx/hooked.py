"""``Hooked``: a user's ``OnnxHook`` stands before and after the graph."""

import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from zypher_jobs.contracts.model import Datatype, ModelManifest
from zypher_jobs.errors import ModelDefinitionError, ModelError
from zypher_jobs.models.definition import ModelDefinition, example_of, place_of, schema_of, types_of
from zypher_jobs.models.hook import OnnxHook
from zypher_jobs.models.importing import import_class
from zypher_jobs.models.runtimes.onnx.conversion import Feed, limits
from zypher_jobs.models.runtimes.onnx.graph import Graph, refusal
from zypher_jobs.models.runtimes.onnx.inputs import DTYPES
from zypher_jobs.models.runtimes.outputs import Outputs, model_error

_Hook = OnnxHook[Any, Any]


class Hooked:
    """See ``Conversion``. What the hook raises becomes a ``ModelError`` that names its file and line."""

    def __init__(self, manifest: ModelManifest, graph: Graph, directory: Path) -> None:
        """Import and check the hook's class; raises ``ModelDefinitionError`` with file and line, ``SettingError``."""
        if manifest.labels is not None:
            raise refusal(manifest, "`labels` and `hook` exclude each other: the hook makes the output")
        self._class = cast(
            "type[_Hook]", import_class(str(manifest.hook), OnnxHook, setting=f"model.{manifest.name}.hook")
        )
        for method in ("before", "after"):
            if getattr(self._class, method) is getattr(OnnxHook, method):
                raise ModelDefinitionError(
                    f"{place_of(self._class)}: hook {self._class.__qualname__} has no `{method}`."
                )
        self._directory = directory
        self._hook: _Hook | None = None
        self._dtypes = {port.name: DTYPES.get(cast("Datatype", port.datatype)) for port in graph.inputs}
        self._output_names = [port.name for port in graph.outputs]
        input_type, output_type = types_of(self._class, OnnxHook)
        input_schema = schema_of(self._class, input_type, "input")
        output_schema = schema_of(self._class, output_type, "output")
        more = limits(manifest, graph)
        more["has_own_example"] |= self._class.input_example is not None
        self.definition = ModelDefinition(
            input_type=input_type,
            output_type=output_type,
            input_schema=input_schema,
            output_schema=output_schema,
            input_example=example_of(self._class, "input_example", input_type, input_schema, manifest.input_example),
            output_example=example_of(
                self._class, "output_example", output_type, output_schema, manifest.output_example
            ),
            **more,
        )
        self._outputs = Outputs(self.definition)

    def load(self) -> None:
        """Make the instance and let it load."""
        self._hook = self._called(self._loaded)

    def feeds(self, inputs: Sequence[Any]) -> list[Feed]:
        """What the hook makes of the inputs, in one run."""
        before = cast("_Hook", self._hook).before
        return [Feed(self._tensors(self._called(before, list(inputs))), range(len(inputs)))]

    def split(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """What the hook makes of the outputs."""
        after = cast("_Hook", self._hook).after
        named = dict(zip(self._output_names, outputs, strict=True))
        return self._outputs.many(self._called(after, named, list(inputs)), len(inputs))

    def _loaded(self) -> _Hook:
        hook = self._class()
        hook.load(self._directory)
        return hook

    def _called(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except Exception as error:
            failure = model_error(error)
            if failure is error:
                raise
            source = inspect.getsourcefile(self._class)
            frames = traceback.extract_tb(error.__traceback__)
            frame = next((each for each in reversed(frames) if each.filename == source), frames[-1])
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            raise ModelError(f"{failure.message} ({place}, in {frame.name})", traceback=failure.traceback) from error

    def _tensors(self, given: Any) -> dict[str, Any]:
        if not isinstance(given, dict) or given.keys() != self._dtypes.keys():
            shown = sorted(map(str, cast("dict[Any, Any]", given))) if isinstance(given, dict) else type(given).__name__
            raise ModelError(
                f"{self._class.__name__}.before returned {shown}; the graph's inputs are {sorted(self._dtypes)}."
            )
        return {name: self._cast(name, value) for name, value in cast("dict[str, Any]", given).items()}

    def _cast(self, name: str, value: Any) -> Any:
        """In the graph's width of the same kind of number."""
        dtype = self._dtypes[name]
        if dtype is None:
            return value
        array = np.asarray(value)
        try:
            return array.astype(dtype, casting="same_kind", copy=False)
        except TypeError:
            raise ModelError(
                f"{self._class.__name__}.before returned {array.dtype} for {name!r}; the graph takes {np.dtype(dtype)}."
            ) from None
