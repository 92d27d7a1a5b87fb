"""Runs an ONNX file: the inputs of a batch become tensors, the graph runs once, its outputs are split again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import PredictionCanceled
from zypher_jobs.models.call import Call
from zypher_jobs.models.context import enter
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.onnx.conversion import Conversion
from zypher_jobs.models.runtimes.onnx.graph import open_session, read_file, read_graph, run_options
from zypher_jobs.models.runtimes.onnx.hooked import Hooked
from zypher_jobs.models.runtimes.onnx.plain import Plain
from zypher_jobs.models.runtimes.outputs import model_error
from zypher_jobs.models.runtimes.threads import ModelThreads

CLOSE_TIMEOUT_S = 2.0
"""How long ``unload`` waits for threads; what runs has ended before."""


class OnnxRuntime:
    """One version of a model that is an ONNX file.

    Predictions of a batch run together where the graph's first dimension varies. Those whose tensors differ in size
    (texts of other lengths) run in groups of one size each. A run that nobody wants any more is ended in the graph.
    """

    __slots__ = ("_conversion", "_directory", "_manifest", "_outputs", "_session", "_threads", "definition")

    def __init__(self, manifest: ModelManifest, directory: Path) -> None:
        """Read what the graph takes and gives; the session that runs it is opened by ``load``.

        Raises ``ModelDefinitionError`` where the file, the graph or the manifest cannot be served.
        """
        content = read_file(manifest, directory)
        graph = read_graph(open_session(manifest, content, directory, only_read=True))
        self._manifest = manifest
        self._directory = directory
        self._outputs = [port.name for port in graph.outputs]
        self._session: Any = None
        self._threads: ModelThreads | None = None
        self._conversion: Conversion = (
            Plain(manifest, graph) if manifest.hook is None else Hooked(manifest, graph, directory)
        )
        self.definition: ModelDefinition = self._conversion.definition

    def load(self) -> None:
        """Open the file again, to be run."""
        content = read_file(self._manifest, self._directory)
        self._session = open_session(self._manifest, content, self._directory)
        self._conversion.load()
        self._threads = ModelThreads(self.definition.concurrency or 1, name=self.definition.reference)

    def unload(self) -> None:
        """Let session and threads go."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close(CLOSE_TIMEOUT_S)
        self._session = None

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """See ``Runtime``; raises ``ModelError``."""
        return await cast("ModelThreads", self._threads).submit(self._predict, self._session, calls)

    def _predict(self, session: Any, calls: Sequence[Call]) -> list[Any]:
        enter(calls)
        try:
            outputs: list[Any] = [None] * len(calls)
            for feed in self._conversion.feeds([call.input for call in calls]):
                members = [calls[member] for member in feed.members]
                if all(call.canceled for call in members):
                    continue
                given = _run(session, self._outputs, feed.tensors, members)
                parts = self._conversion.split(given, [call.input for call in members])
                for number, part in zip(feed.members, parts, strict=True):
                    outputs[number] = part
        except BaseException as error:
            raise model_error(error) from error
        return outputs


def _run(session: Any, names: list[str], feed: dict[str, Any], calls: Sequence[Call]) -> list[Any]:
    """Run the graph, until nobody wants its outputs any more."""
    options = run_options()

    def canceled() -> None:
        if all(call.canceled for call in calls):
            options.terminate = True

    for call in calls:
        call.when_canceled(canceled)
    try:
        return session.run(names, feed, options)
    except Exception:
        if options.terminate:
            raise PredictionCanceled("The prediction was canceled.") from None
        raise
