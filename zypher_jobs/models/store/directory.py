"""``DirectoryStore``: files in a directory, maybe one that several machines share."""

import asyncio
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from zypher_jobs.errors import StoreUnavailable

CHUNK_BYTES = 1_048_576


class DirectoryStore:
    """``{directory}/{sha256}.onnx``; a file appears there whole or not at all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def put(self, file: Path, sha256: str) -> None:
        """See ``ModelStore``."""
        await asyncio.to_thread(self._put, file, sha256)

    async def get(self, sha256: str) -> Path:
        """See ``ModelStore``."""
        path = self.path_of(sha256)
        try:
            found = await asyncio.to_thread(digest_of, path)
        except OSError as error:
            raise StoreUnavailable(f"The model store has no file {short(sha256)} ({error.strerror}).") from error
        if found != sha256:
            raise StoreUnavailable(f"The file {short(sha256)} in the model store is damaged: its content has changed.")
        return path

    async def remove(self, sha256: str) -> None:
        """See ``ModelStore``."""
        try:
            await asyncio.to_thread(self.path_of(sha256).unlink, missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The model store cannot be written ({error.strerror}).") from error

    def path_of(self, sha256: str) -> Path:
        """Where it is, if it is here."""
        return self.directory / f"{sha256}.onnx"

    def _put(self, file: Path, sha256: str) -> None:
        path = self.path_of(sha256)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file.stat().st_dev != self.directory.stat().st_dev:
                _copy(file, part)
                file.unlink()
                file = part
            file.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise StoreUnavailable(f"The model store cannot be written ({error.strerror}).") from error


def _copy(file: Path, to: Path) -> None:
    with file.open("rb") as source, to.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex; blocks, and holds one MiB at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short(sha256: str) -> str:
    """A digest as people compare it."""
    return f"sha256:{sha256[:12]}…"
