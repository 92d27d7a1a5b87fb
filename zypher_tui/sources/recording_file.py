"""A recording as it is written: each line is on its way to the disk before the next one is made."""

import errno
import os
import zlib
from pathlib import Path

from zypher_jobs.errors import StartError
from zypher_tui.core.recording import MAX_LINE_BYTES, MAX_TOTAL_BYTES, Header, Line, write_line

_GZIP = 31
"""zlib's word for it."""


ANEW_BYTES = 128 * 1024
"""After so many the packer begins anew: from there on it can be unpacked without what is before."""


class RecordingFull(Exception):
    """It has reached its limit."""


class RecordingThere(StartError):
    """There is a file of that name."""


class RecordingFile:
    """A new file of gzip'ed lines; each is flushed, so that it can be read whatever happens to the writer."""

    def __init__(self, path: Path, header: Header, *, overwrite: bool, max_bytes: float) -> None:
        """Raises ``StartError``. Only its owner may read it: inputs and outputs may be in it."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
        self._packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        self._max_bytes = max_bytes
        self._total_bytes = 0
        self._anew_bytes = 0
        self.size_bytes = 0
        try:
            self._file = os.open(path, flags, 0o600)
            self.write(header)
        except FileExistsError as error:
            raise RecordingThere(
                f"{path} exists already; choose another name, or overwrite it with --force."
            ) from error
        except OSError as error:
            raise StartError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error

    def write(self, *lines: Header | Line) -> None:
        """Raises ``RecordingFull`` once it is; ``OSError``, also when the file was deleted: nobody would see it."""
        if os.fstat(self._file).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "its file was deleted")
        for line in lines:
            text = write_line(line)
            if len(text) > MAX_LINE_BYTES:
                continue  # nobody would read it
            self._total_bytes += len(text)
            self._put(self._packer.compress(text))
        is_due = self.size_bytes - self._anew_bytes >= ANEW_BYTES
        self._put(self._packer.flush(zlib.Z_FULL_FLUSH if is_due else zlib.Z_SYNC_FLUSH))
        if is_due:
            self._anew_bytes = self.size_bytes
        if self.size_bytes >= self._max_bytes or self._total_bytes > MAX_TOTAL_BYTES - 4 * MAX_LINE_BYTES:
            raise RecordingFull

    def close(self) -> None:
        """Write its end; raises ``OSError``."""
        try:
            self._put(self._packer.flush(zlib.Z_FINISH))
        finally:
            os.close(self._file)

    def abandon(self) -> None:
        """Leave it as it is: nothing can be written to it."""
        os.close(self._file)

    def _put(self, packed: bytes) -> None:
        while packed:
            written = os.write(self._file, packed)
            self.size_bytes += written
            packed = packed[written:]
