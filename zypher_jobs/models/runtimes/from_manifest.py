"""A manifest → what runs it: models that are no Python class."""

from pathlib import Path

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import ModelDefinitionError
from zypher_jobs.models.runtimes import Runtime


def runtime_of(manifest: ModelManifest, directory: Path) -> Runtime:
    """The runtime of a model; files are looked for in ``directory``, where the manifest stands.

    Raises ``ModelDefinitionError`` when what the manifest says cannot be served.
    """
    _ = directory
    raise ModelDefinitionError(f"Model {manifest.name!r}: runtime {manifest.runtime!r} cannot be served yet.")
