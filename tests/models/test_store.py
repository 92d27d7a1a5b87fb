"""The model store: files by the digest of their content; what is no model is refused by its content."""

import os
import pickle
import zipfile
from pathlib import Path

import msgspec
import pytest

from tests.models.deploying import adds, sha256_of
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import InvalidUpload, SettingError, StoreUnavailable, UploadTooLarge
from zypher_jobs.models.shipped.digits import WEIGHTS
from zypher_jobs.models.store import store_of
from zypher_jobs.models.store.checking import require_servable
from zypher_jobs.models.store.directory import DirectoryStore
from zypher_jobs.models.store.incoming import Incoming
from zypher_jobs.models.store.protobuf import require_onnx
from zypher_jobs.settings import Settings

CONTENT = b"some bytes" * 1000


def write(directory: Path, content: bytes, name: str = "model.onnx") -> Path:
    """A file with that content."""
    file = directory / name
    file.write_bytes(content)
    return file


def files_in(directory: Path) -> list[Path]:
    """What stands there."""
    return sorted(directory.iterdir())


async def put(store: DirectoryStore, content: bytes) -> str:
    """Store it; its digest."""
    digest = sha256_of(content)
    async with Incoming(store.directory, max_bytes=1_000_000) as incoming:
        await incoming.write(content)
        await incoming.finish(digest)
        await store.put(incoming.path, digest)
    return digest


async def test_what_was_put_is_got_by_its_digest(tmp_path: Path) -> None:
    """And nothing else is left of it."""
    store = DirectoryStore(tmp_path / "store")
    digest = await put(store, CONTENT)
    assert await put(store, CONTENT) == digest
    path = await store.get(digest)
    assert path.read_bytes() == CONTENT
    assert files_in(store.directory) == [path]
    await store.remove(digest)
    await store.remove(digest)
    with pytest.raises(StoreUnavailable, match="has no file"):
        await store.get(digest)


async def test_a_file_that_has_changed_is_not_served(tmp_path: Path) -> None:
    """It is hashed each time it is loaded."""
    store = DirectoryStore(tmp_path)
    digest = await put(store, CONTENT)
    write(tmp_path, CONTENT[:-1] + b"!", store.path_of(digest).name)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.get(digest)


async def test_a_digest_that_differs_is_refused_and_the_file_deleted(tmp_path: Path) -> None:
    """Whoever uploads it learns both digests."""
    async with Incoming(tmp_path, max_bytes=1_000_000) as incoming:
        await incoming.write(CONTENT)
        with pytest.raises(InvalidUpload, match="damaged on the way") as refused:
            await incoming.finish(sha256_of(b"another"))
    assert refused.value.field == "manifest.sha256"
    assert files_in(tmp_path) == []


async def test_a_file_that_is_too_large_is_refused_as_soon_as_it_is(tmp_path: Path) -> None:
    """Not when all of it has come."""
    async with Incoming(tmp_path, max_bytes=2_000) as incoming:
        await incoming.write(CONTENT[:2_000])
        with pytest.raises(UploadTooLarge, match="larger than 2,000 bytes; ZYPHER_MODEL_MAX_BYTES"):
            await incoming.write(b"!")
    assert files_in(tmp_path) == []


async def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """503, not 500: here a file stands where its directory should."""
    store = DirectoryStore(WEIGHTS / "store")
    incoming = Incoming(store.directory, max_bytes=1_000_000)
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await incoming.__aenter__()
    file = write(tmp_path, CONTENT)
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await store.put(file, sha256_of(CONTENT))


def test_real_models_look_like_models(tmp_path: Path) -> None:
    """Of scikit-learn's converter and of onnx's own."""
    require_onnx(WEIGHTS)
    file = tmp_path / "adds.onnx"
    file.write_bytes(adds(1))
    require_onnx(file)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps({"weights": [1.0] * 50}), "a pickle, which is code and never opened"),
        (pickle.dumps([1.0], protocol=0), "no ONNX model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"GGUF" + bytes(100), "GGUF"),
        (b"", "no ONNX model"),
        (b"\x08", "no ONNX model"),
        (b"hello, world", "no ONNX model"),
        (os.urandom(4096) + b"\xff", "no ONNX model"),
        (WEIGHTS.read_bytes()[:-1], "no ONNX model"),
        (b"\x08\x0a\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "no ONNX model"),
        (b"\x08\x0a" * 200_000, "no ONNX model"),
    ],
    ids=["pickle", "old-pickle", "hdf5", "gguf", "empty", "tag", "text", "noise", "cut", "huge-length", "endless"],
)
def test_what_is_no_model_is_refused_unopened(tmp_path: Path, content: bytes, sentence: str) -> None:
    """By its content, whatever it is called."""
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(InvalidUpload, match=sentence) as refused:
        require_onnx(file)
    assert refused.value.field == "file"


def test_an_archive_is_refused(tmp_path: Path) -> None:
    """What torch.save writes."""
    file = tmp_path / "model.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(1))
    with pytest.raises(InvalidUpload, match="zip archive"):
        require_onnx(file)


async def test_a_model_that_loads_is_servable(tmp_path: Path) -> None:
    """A process of its own has opened it."""
    await require_servable(ModelManifest(name="adds"), write(tmp_path, adds(1)))


async def test_a_graph_that_does_not_open_is_refused_with_its_reason(tmp_path: Path) -> None:
    """Shape and digest are right, and yet it is no model."""
    file = write(tmp_path, adds(1).replace(b"Add", b"Odd"))
    with pytest.raises(InvalidUpload, match=r"cannot be served: .*Odd") as refused:
        await require_servable(ModelManifest(name="adds"), file)
    assert refused.value.field == "file"


async def test_a_manifest_that_does_not_fit_its_graph_is_refused(tmp_path: Path) -> None:
    """An example is run before anything is deployed."""
    file = write(tmp_path, adds(1))
    with pytest.raises(InvalidUpload, match="cannot be served"):
        await require_servable(ModelManifest(name="adds", input_example={"x": ["one"]}), file)


def test_the_setting_chooses_the_store(tmp_path: Path) -> None:
    """A directory, by default in the data directory."""
    settings = Settings(data_dir=tmp_path)
    default, named = store_of(settings), store_of(msgspec.structs.replace(settings, model_store=str(tmp_path / "m")))
    assert isinstance(default, DirectoryStore)
    assert isinstance(named, DirectoryStore)
    assert (default.directory, named.directory) == (tmp_path / "models", tmp_path / "m")
    with pytest.raises(SettingError, match="s3://bucket/prefix"):
        store_of(msgspec.structs.replace(settings, model_store="s3://"))
