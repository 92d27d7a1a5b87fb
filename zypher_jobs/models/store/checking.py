"""Opens an uploaded model once, in a process of its own, before anything is deployed.

What takes the runtime down with it (a hostile graph, one that needs more memory than there is) takes this process only.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

import msgspec

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import InvalidUpload, ZypherError
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.models.served import ServedModel
from zypher_jobs.models.store.protobuf import require_onnx

OPEN_S = 120
"""Longest time that opening and warming up may take."""
MEMORY_BYTES = 4 * 1024**3
"""Beside three times the file: what the process may take."""


class Verdict(msgspec.Struct, frozen=True):
    """What the process says on its standard output."""

    error: str = ""


async def require_servable(manifest: ModelManifest, file: Path) -> None:
    """Raises ``InvalidUpload`` unless ``file`` is an ONNX model that loads and runs its example."""
    await asyncio.to_thread(require_onnx, file)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "zypher_jobs.models.store.checking"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    asked = msgspec.json.encode(msgspec.structs.replace(manifest, file=str(file)))
    try:
        async with asyncio.timeout(OPEN_S):
            out, _ = await process.communicate(asked)
    except TimeoutError as error:
        raise InvalidUpload(f"The model did not open within {OPEN_S} s.", field="file") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        verdict = msgspec.json.decode(out.rpartition(b"\n")[2], type=Verdict)
    except msgspec.DecodeError:
        raise InvalidUpload(
            f"Opening the model ended its process ({_ending(process.returncode)}): it is damaged, or needs more memory "
            f"than it may take.",
            field="file",
        ) from None
    if verdict.error:
        raise InvalidUpload(f"The model cannot be served: {verdict.error}", field="file")


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


async def _open(manifest: ModelManifest, file: Path) -> Verdict:
    try:
        served = ServedModel(runtime_of(msgspec.structs.replace(manifest, file=file.name), file.parent))
    except ZypherError as error:
        return Verdict(error.message)
    await served.load()
    return Verdict(served.error or "")


def main() -> None:
    """The process: a manifest on standard input, whose ``file`` is a path; the verdict is the last line."""
    manifest = msgspec.json.decode(sys.stdin.buffer.read(), type=ModelManifest)
    file = Path(manifest.file or "")
    most = MEMORY_BYTES + 3 * file.stat().st_size
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    verdict = asyncio.run(_open(manifest, file))
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(verdict))
    sys.stdout.flush()
    os._exit(0)  # whatever threads it started


if __name__ == "__main__":
    main()
