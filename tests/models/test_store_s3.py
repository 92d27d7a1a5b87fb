"""The model store in a bucket: a real server that speaks S3, on loopback."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import obstore
import pytest
from obstore.store import S3Store

from tests.models.deploying import adds, following, sha256_of
from zypher_jobs.contracts.deployment import Traffic
from zypher_jobs.errors import StoreUnavailable
from zypher_jobs.models.store import ModelStore, store_of
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

CONTENT = b"some bytes" * 100_000


class Bucket:
    """A server with one bucket, ``models``; it may be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and make the bucket."""
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = _started(command)
        await wait_until(self._made, timeout_s=60, every_s=0.1)

    async def keys(self) -> str:
        """The listing, as XML."""
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.url}/models")).text

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def _made(self) -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.put(f"{self.url}/models")).is_success
        except httpx.TransportError:
            return False


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A server that is not started yet, and what a process's environment says of it."""
    bucket = Bucket()
    for name, value in {
        "AWS_ENDPOINT_URL": bucket.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield bucket
    bucket.stop()


@pytest.fixture
async def bucket(environment: Bucket) -> Bucket:
    """A server that runs."""
    await environment.start()
    return environment


def machine(settings: Settings, name: str) -> Settings:
    """Settings of one machine: they share the bucket, and no directory."""
    return msgspec.structs.replace(
        settings, data_dir=settings.data_dir.parent / name, model_store="s3://models/deployed", deploy_timeout_s=20
    )


def remove(file: Path) -> None:
    """As somebody does who clears up."""
    file.unlink()


def write(file: Path, content: bytes) -> Path:
    """A file with that content."""
    file.write_bytes(content)
    return file


async def put(store: ModelStore, directory: Path, content: bytes) -> str:
    """Store it; its digest."""
    file = write(directory / "file", content)
    digest = sha256_of(content)
    await store.put(file, digest)
    return digest


async def test_another_machine_fetches_a_file_by_its_digest(bucket: Bucket, settings: Settings, tmp_path: Path) -> None:
    """Once: then it has a copy, which it checks."""
    here, there = store_of(machine(settings, "a")), store_of(machine(settings, "b"))
    digest = await put(here, tmp_path, CONTENT)
    assert f"deployed/{digest}.onnx" in await bucket.keys()
    copy = await there.get(digest)
    assert (copy.parent, copy.read_bytes()) == (tmp_path / "b" / "models", CONTENT)
    bucket.stop()
    assert await there.get(digest) == copy


async def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_is_not_served(
    bucket: Bucket, settings: Settings, tmp_path: Path
) -> None:
    """The digest decides."""
    here, there = store_of(machine(settings, "a")), store_of(machine(settings, "b"))
    digest = await put(here, tmp_path, CONTENT)
    copy = await there.get(digest)
    write(copy, b"damaged")
    assert (await there.get(digest)).read_bytes() == CONTENT
    objects = S3Store.from_url("s3://models/deployed", client_options={"allow_http": True})
    await obstore.put_async(objects, f"{digest}.onnx", b"damaged")
    remove(copy)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await there.get(digest)
    assert not copy.exists()


async def test_what_is_removed_is_gone(bucket: Bucket, settings: Settings, tmp_path: Path) -> None:
    """From the bucket, and from the copy."""
    store = store_of(machine(settings, "a"))
    digest = await put(store, tmp_path, CONTENT)
    await store.remove(digest)
    await store.remove(digest)
    assert digest not in await bucket.keys()
    with pytest.raises(StoreUnavailable, match="has no file"):
        await store.get(digest)


async def test_a_bucket_that_does_not_answer_is_unavailable(
    environment: Bucket, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the client says of the server reaches a caller."""
    monkeypatch.setattr("zypher_jobs.models.store.objects.RETRIES_S", 0)
    store = store_of(machine(settings, "a"))
    with pytest.raises(StoreUnavailable, match="does not answer") as away:
        await put(store, tmp_path, CONTENT)
    assert str(environment.port) not in away.value.message


async def test_a_version_is_deployed_through_a_bucket(bucket: Bucket, settings: Settings) -> None:
    """API and worker on two machines that share Redis and the bucket."""
    async with (
        following(machine(settings, "a")) as api,
        following(machine(settings, "b"), "worker-1", part="worker") as worker,
    ):
        await api.upload("1", adds(1))
        await api.upload("2", adds(2))
        await api.rollout.switch("adds", Traffic(shares={"2": 1}))
        assert await worker.ask(5) == ("2", 7)
        bucket.stop()
        assert await worker.ask(5) == ("2", 7)
