"""A manifest → what runs it: models that are no Python class."""

from pathlib import Path

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import ModelDefinitionError
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.runtimes.frames import ManifestPlace
from zypher_jobs.models.runtimes.process import ProcessRuntime

_EXTRA = {"numpy", "onnxruntime"}


def runtime_of(manifest: ModelManifest, directory: Path) -> Runtime:
    """The runtime of a model; files are looked for in ``directory``, where the manifest stands.

    Nothing is loaded yet. Raises ``ModelDefinitionError`` when what the manifest says cannot be served, and
    ``SettingError`` when its hook cannot be imported.
    """
    if manifest.runtime == "onnx":
        return _onnx(manifest, directory)
    # imported here: httpx, which only a process that serves one needs
    from zypher_jobs.models.runtimes.remote import RemoteRuntime  # noqa: PLC0415

    return RemoteRuntime(manifest)


def _onnx(manifest: ModelManifest, directory: Path) -> Runtime:
    try:
        # imported here, not above: 100 ms and 40 MB that only a process that serves one should pay
        from zypher_jobs.models.runtimes.onnx import OnnxRuntime  # noqa: PLC0415
    except ImportError as error:
        if error.name not in _EXTRA:
            raise
        raise ModelDefinitionError(
            f"Model {manifest.name!r}: {error}; ONNX files need the onnx extra: pip install 'zypher[onnx]'."
        ) from error
    runtime = OnnxRuntime(manifest, directory)
    if manifest.isolation == "process":
        return ProcessRuntime(ManifestPlace(manifest, str(directory.resolve())), runtime.definition)
    return runtime
