"""``ObjectStore``: files in a bucket of S3, or of what speaks like it; each machine keeps a copy of what it fetched."""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from zypher_jobs.errors import InvalidUpload, SettingError, StoreUnavailable
from zypher_jobs.models.store.directory import DirectoryStore, short
from zypher_jobs.models.store.incoming import Incoming

TIMEOUT = "30s"
"""For one request."""
RETRIES_S = 10


class ObjectStore:
    """``s3://bucket/prefix``; keys, region and endpoint are those of the ``AWS_*`` environment."""

    def __init__(self, url: str, *, cache: DirectoryStore) -> None:
        """No I/O yet. Raises ``SettingError`` for a URL that is none, or without the s3 extra."""
        try:
            self._obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
        except ImportError as error:
            raise SettingError("ZYPHER_MODEL_STORE=s3://… needs the s3 extra: pip install 'zypher[s3]'.") from error
        self._cache = cache
        self._error: type[Exception] = self._obstore.exceptions.BaseError
        try:
            self._bucket: Any = stores.S3Store.from_url(
                url,
                client_options={"allow_http": True, "timeout": TIMEOUT},
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=RETRIES_S)},
            )
        except (self._error, ValueError) as error:
            raise SettingError(
                f"ZYPHER_MODEL_STORE={url!r} cannot be used: it must be like s3://bucket/prefix."
            ) from error

    async def put(self, file: Path, sha256: str) -> None:
        """See ``ModelStore``."""
        with self._errors(sha256):
            await self._obstore.put_async(self._bucket, _key(sha256), file)
        await self._cache.put(file, sha256)

    async def get(self, sha256: str) -> Path:
        """See ``ModelStore``."""
        try:
            return await self._cache.get(sha256)
        except StoreUnavailable:  # not here yet, or damaged
            pass
        async with Incoming(self._cache.directory, max_bytes=2**63) as incoming:
            with self._errors(sha256):
                found = await self._obstore.get_async(self._bucket, _key(sha256))
                async for chunk in found.stream():
                    await incoming.write(bytes(chunk))
            try:
                await incoming.finish(sha256)
            except InvalidUpload as error:
                raise StoreUnavailable(f"The file {short(sha256)} in the model store is damaged.") from error
            await self._cache.put(incoming.path, sha256)
        return self._cache.path_of(sha256)

    async def remove(self, sha256: str) -> None:
        """See ``ModelStore``."""
        with self._errors(sha256):
            await self._obstore.delete_async(self._bucket, _key(sha256))
        await self._cache.remove(sha256)

    @contextmanager
    def _errors(self, sha256: str) -> Generator[None]:
        """Raise ``StoreUnavailable``, without what the server said: it may name keys and addresses."""
        try:
            yield
        except FileNotFoundError as error:
            raise StoreUnavailable(f"The model store has no file {short(sha256)}.") from error
        except (self._error, OSError) as error:
            raise StoreUnavailable(f"The model store does not answer ({type(error).__name__}).") from error


def _key(sha256: str) -> str:
    return f"{sha256}.onnx"
