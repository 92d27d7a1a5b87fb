"""``Incoming``: a file on its way into the store. Its bytes go to the disk and through SHA-256 as they come."""

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType

from zypher_jobs.errors import InvalidUpload, StoreUnavailable, UploadTooLarge
from zypher_jobs.models.store.directory import CHUNK_BYTES, short


class Incoming:
    """Use it as an ``async with``: whatever is left of the file at its end is deleted."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        """The file is made in ``directory``."""
        self.size_bytes = 0
        self._directory = directory
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self._gathered = bytearray()

    async def __aenter__(self) -> "Incoming":
        """Make the file."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd, name = tempfile.mkstemp(suffix=".part", dir=self._directory)
        except OSError as error:
            raise StoreUnavailable(f"No file can be made in the data directory ({error.strerror}).") from error
        self.path = Path(name)
        self._file = os.fdopen(fd, "wb")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete it, unless the store has taken it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    async def write(self, chunk: bytes | bytearray) -> None:
        """Take the next bytes; raises ``UploadTooLarge``."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._max_bytes:
            raise UploadTooLarge(
                f"The file is larger than {self._max_bytes:,} bytes; ZYPHER_MODEL_MAX_BYTES sets the limit."
            )
        self._gathered += chunk
        if len(self._gathered) >= CHUNK_BYTES:
            await self._flush()

    async def finish(self, sha256: str) -> None:
        """Put all of it on the disk; raises ``InvalidUpload`` when its digest is not ``sha256``."""
        await self._flush()
        await asyncio.to_thread(self._sync)
        found = self._digest.hexdigest()
        if found != sha256:
            raise InvalidUpload(
                f"The file that came is {short(found)} and the manifest says {short(sha256)}: it was damaged on the "
                "way, or is another one.",
                field="manifest.sha256",
            )

    async def _flush(self) -> None:
        gathered, self._gathered = self._gathered, bytearray()
        try:
            await asyncio.to_thread(self._write, gathered)
        except OSError as error:
            raise StoreUnavailable(f"The file cannot be written ({error.strerror}).") from error

    def _write(self, chunk: bytearray) -> None:
        self._digest.update(chunk)
        self._file.write(chunk)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
