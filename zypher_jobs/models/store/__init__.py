"""Where the files of deployed models are kept: under the SHA-256 of their content, for every machine to fetch."""

from pathlib import Path
from typing import Protocol

from zypher_jobs.models.store.directory import DirectoryStore
from zypher_jobs.settings import Settings

S3_SCHEME = "s3://"


class ModelStore(Protocol):
    """Files by digest. Every method raises ``StoreUnavailable`` when the store does not answer."""

    async def put(self, file: Path, sha256: str) -> None:
        """Keep a local file, whose digest was checked; ``file`` is gone afterwards. Once more is harmless."""
        ...

    async def get(self, sha256: str) -> Path:
        """A local file with that content, checked; raises ``StoreUnavailable`` if there is none."""
        ...

    async def remove(self, sha256: str) -> None:
        """Keep it no more, neither there nor here; nothing happens if it is not kept."""
        ...


def store_of(settings: Settings) -> ModelStore:
    """The store of ``ZYPHER_MODEL_STORE``; no I/O yet. Raises ``SettingError``."""
    default = settings.data_dir / "models"
    if settings.model_store is None:
        return DirectoryStore(default)
    if not settings.model_store.startswith(S3_SCHEME):
        return DirectoryStore(Path(settings.model_store).expanduser())
    from zypher_jobs.models.store.objects import ObjectStore  # noqa: PLC0415 needs the s3 extra

    return ObjectStore(settings.model_store, cache=DirectoryStore(default))
