"""Deploying over HTTP: upload, switch, roll back, delete; a refusal names what is wrong, and the old version serves."""

import asyncio
import json
import pickle
import resource
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.running import RunningApi, running_api
from tests.models.deploying import adds, sha256_of
from zypher_api.routes.deployments import is_loopback
from zypher_jobs.settings import Settings


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Small files only."""
    return msgspec.structs.replace(settings, model_max_bytes=100_000)


@pytest.fixture
async def deployed(api: RunningApi) -> RunningApi:
    """An API with ``adds@1``."""
    answer = await upload(api, "1", adds(1))
    assert answer.status_code == 201, answer.text
    return api


async def upload(api: RunningApi, version: str, content: bytes, **said: Any) -> httpx.Response:
    """PUT a file as version of ``adds``; ``said`` is the manifest beside the digest, ``None`` leaves that out too."""
    manifest = {"sha256": sha256_of(content), **said}
    return await put(api, version, [("manifest", manifest), ("file", content)])


async def put(api: RunningApi, version: str, parts: list[tuple[str, Any]]) -> httpx.Response:
    """PUT these parts in this order."""
    files = [
        (name, (name, part if isinstance(part, bytes) else json.dumps(part).encode(), "application/octet-stream"))
        for name, part in parts
    ]
    return await api.put(f"/models/adds/versions/{version}", files=files)


async def ask(api: RunningApi, x: float = 5, path: str = "/models/adds/predict") -> tuple[str, float]:
    """Which version answers, and what."""
    answer = await api.post(path, json={"x": x})
    assert answer.status_code == 200, answer.text
    return answer.headers["model-version"], answer.json()["y"]


async def test_an_uploaded_model_answers_with_its_version_in_the_header(deployed: RunningApi) -> None:
    """By its name, by its version, and by ``live``; another version beside it by its own."""
    answer = await upload(deployed, "2", adds(2), description="Adds two.", max_batch_size=4)
    assert answer.status_code == 201
    assert [(each["version"], each["share"], each["ready"]) for each in answer.json()["versions"]] == [
        ("1", 1, True),
        ("2", 0, True),
    ]
    assert await ask(deployed) == ("adds@1", 6)
    assert await ask(deployed, path="/models/adds/versions/2/predict") == ("adds@2", 7)
    assert await ask(deployed, path="/models/adds/versions/live/predict") == ("adds@1", 6)


async def test_one_call_shows_every_model_as_its_own_does(deployed: RunningApi) -> None:
    """By name, with those of the settings. One version is live: of several, either call may show another."""
    for version in ("2", "3"):
        assert (await upload(deployed, version, adds(int(version)))).status_code == 201
    await deployed.put("/models/adds/live", json={"shares": {"2": 1}, "shadow": "1"})
    models = (await deployed.get("/deployments")).json()["models"]
    names = [model["name"] for model in models]
    assert names == sorted(names)
    assert {"adds", "mock"} <= set(names)
    assert models == [(await deployed.get(f"/models/{name}")).json() for name in names]


async def test_traffic_is_switched_shared_shadowed_and_rolled_back(deployed: RunningApi) -> None:
    """Each with one call, and the model shows it."""
    for version in ("2", "3"):
        assert (await upload(deployed, version, adds(int(version)))).status_code == 201
    answer = await deployed.put("/models/adds/live", json={"shares": {"2": 90, "3": 10}, "shadow": "1"})
    assert answer.status_code == 200
    shown = (await deployed.get("/models/adds")).json()
    assert {each["version"]: each["share"] for each in shown["versions"]} == pytest.approx({"1": 0, "2": 0.9, "3": 0.1})
    assert (shown["shadow"], shown["previous"]) == ("1", {"shares": {"1": 1.0}, "shadow": None})
    assert set(await asyncio.gather(*(ask(deployed) for _ in range(60)))) == {("adds@2", 7), ("adds@3", 8)}
    assert (await deployed.post("/models/adds/rollback")).status_code == 200
    assert await ask(deployed) == ("adds@1", 6)


async def test_a_version_is_deleted_and_so_is_a_model(deployed: RunningApi) -> None:
    """A live version is not; the whole model is, with a call of its own."""
    await upload(deployed, "2", adds(2))
    refused = await deployed.delete("/models/adds/versions/1")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    left = (await deployed.delete("/models/adds/versions/2")).json()
    assert [each["version"] for each in left["versions"]] == ["1"]
    gone = await deployed.delete("/models/adds")
    assert (gone.status_code, "adds" in {model["name"] for model in gone.json()["models"]}) == (200, False)
    assert (await deployed.get("/models/adds")).status_code == 404
    assert (await deployed.delete("/models/mock")).json()["code"] == "conflict"


async def test_each_deployment_is_in_the_audit_log(deployed: RunningApi) -> None:
    """What was refused is not."""
    await upload(deployed, "2", adds(2))
    await deployed.put("/models/adds/live", json={"shares": {"2": 100}})
    await deployed.post("/models/adds/rollback")
    await deployed.delete("/models/adds/versions/1")  # it is live
    await deployed.delete("/models/adds/versions/2")
    await deployed.delete("/models/adds")
    entries = (await deployed.get("/audit")).json()["entries"]
    assert [(entry["action"], entry["target"]) for entry in reversed(entries)] == [
        ("model.upload", "adds@1"),
        ("model.upload", "adds@2"),
        ("model.live", "adds"),
        ("model.rollback", "adds"),
        ("model.delete_version", "adds@2"),
        ("model.delete", "adds"),
    ]
    details = {entry["action"]: entry["detail"] for entry in entries}
    assert json.loads(details["model.live"])["shares"] == {"2": 100}


REFUSED: list[tuple[list[tuple[str, Any]], int, str, str | None, str]] = [
    ([("manifest", {}), ("file", adds(2))], 422, "invalid_upload", "manifest.sha256", "lacks sha256"),
    (
        [("manifest", {"sha256": sha256_of(adds(3))}), ("file", adds(2))],
        *(422, "invalid_upload", "manifest.sha256", "another one"),
    ),
    (
        [("manifest", {"sha256": "abc"}), ("file", adds(2))],
        *(422, "invalid_upload", "manifest.sha256", "regex"),
    ),
    (
        [("manifest", {"sha256": sha256_of(adds(2)), "lables": []}), ("file", adds(2))],
        *(422, "invalid_upload", "manifest.lables", "unknown field"),
    ),
    (
        [("manifest", {"sha256": sha256_of(adds(2)), "name": "subs"}), ("file", adds(2))],
        *(422, "invalid_upload", "manifest.name", "the path says 'adds'"),
    ),
    (
        [("manifest", {"sha256": sha256_of(adds(2)), "runtime": "remote"}), ("file", adds(2))],
        *(422, "invalid_upload", "manifest.runtime", "is an ONNX file"),
    ),
    ([("manifest", b"{"), ("file", adds(2))], 422, "invalid_upload", "manifest", "no JSON object"),
    ([("manifest", b"[]"), ("file", adds(2))], 422, "invalid_upload", "manifest", "no JSON object"),
    ([("manifest", b" " * 300_000), ("file", b"")], 422, "invalid_upload", "manifest", "larger than"),
    ([("file", adds(2)), ("manifest", {})], 422, "invalid_upload", "manifest", "before the file"),
    ([("manifest", {"sha256": sha256_of(adds(2))})], 422, "invalid_upload", "file", "the file is missing"),
    (
        [("manifest", {"sha256": sha256_of(pickle.dumps(1))}), ("file", pickle.dumps(1))],
        *(422, "invalid_upload", "file", "a pickle, which is code and never opened"),
    ),
    (
        [("manifest", {"sha256": sha256_of(bytes(100_001))}), ("file", bytes(100_001))],
        *(413, "upload_too_large", None, "ZYPHER_MODEL_MAX_BYTES"),
    ),
]


@pytest.mark.parametrize(("parts", "status", "code", "field", "sentence"), REFUSED, ids=[case[-1] for case in REFUSED])
async def test_what_cannot_be_deployed_is_refused_and_the_old_version_serves_on(
    deployed: RunningApi, parts: list[tuple[str, Any]], status: int, code: str, field: str | None, sentence: str
) -> None:
    """A problem document names the field, and nothing is left of the file."""
    models = deployed.settings.data_dir / "models"
    before = sorted(models.iterdir())
    answer = await put(deployed, "2", parts)
    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (status, code, field)
    assert sentence in answer.json()["detail"]
    assert await ask(deployed) == ("adds@1", 6)
    assert sorted(models.iterdir()) == before
    assert (await deployed.post("/models/adds/versions/2/predict", json={"x": 1})).json()["code"] == "unknown_version"


async def test_a_version_cannot_be_called_live_and_a_built_in_one_not_replaced(api: RunningApi) -> None:
    """Before any of the file is read."""
    answer = await upload(api, "live", adds(1))
    assert (answer.status_code, answer.json()["field"]) == (422, "version")
    answer = await api.put("/models/mock/versions/1", files={"manifest": b"{}"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_body_of_another_kind_says_what_is_wanted(api: RunningApi) -> None:
    """``curl -T`` alone has no manifest; a cut body is no upload."""
    answer = await api.put("/models/adds/versions/1", content=adds(1))
    assert answer.status_code == 415
    assert "-F manifest=@model.json -F file=@model.onnx" in answer.json()["detail"]
    cut = b'--x\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n{'
    answer = await api.put(
        "/models/adds/versions/1", content=cut, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "malformed_input", "$"),
        (b"{", 400, "malformed_input", "$"),
        (b"{}", 422, "invalid_upload", "$"),
        (b'{"shares": {}}', 422, "invalid_upload", "$.shares"),
        (b'{"shares": {"1": 0}}', 422, "invalid_upload", "$.shares[...]"),
        (b'{"shares": {"1": 1}, "shadows": "2"}', 422, "invalid_upload", "$"),
        (b'{"shares": {"9": 1}}', 404, "unknown_version", None),
        (b'{"shares": {"1": 1}, "shadow": "9"}', 404, "unknown_version", None),
    ],
)
async def test_a_switch_that_cannot_be_is_refused(
    deployed: RunningApi, body: bytes, status: int, code: str, field: str | None
) -> None:
    """And the traffic stays."""
    answer = await deployed.put("/models/adds/live", content=body)
    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (status, code, field)
    assert await ask(deployed) == ("adds@1", 6)


async def test_what_is_not_deployed_is_not_found(api: RunningApi) -> None:
    """Each route says that there is no such model; a roll back that leads nowhere is a conflict."""
    assert (await api.put("/models/nope/live", json={"shares": {"1": 1}})).json()["code"] == "unknown_model"
    assert (await api.post("/models/nope/rollback")).json()["code"] == "unknown_model"
    assert (await api.delete("/models/nope/versions/1")).json()["code"] == "unknown_model"
    assert (await api.delete("/models/nope")).json()["code"] == "unknown_model"
    assert (await api.post("/models/mock/rollback")).json()["code"] == "conflict"


@pytest.mark.parametrize(("deploy", "host"), [("off", "127.0.0.1"), ("local", "0.0.0.0")])
async def test_deploying_is_off_where_it_was_not_allowed(settings: Settings, deploy: Any, host: str) -> None:
    """By the setting, or because others can reach this API: until there are keys."""
    async with running_api(msgspec.structs.replace(settings, deploy=deploy, host=host)) as api:
        for answer in (
            await upload(api, "1", adds(1)),
            await api.put("/models/mock/live", json={"shares": {"1": 1}}),
            await api.post("/models/mock/rollback"),
            await api.delete("/models/mock/versions/1"),
            await api.delete("/models/mock"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "deploy_off")
            assert "ZYPHER_DEPLOY" in answer.json()["detail"]


def test_loopback_is_told_from_what_others_reach() -> None:
    """Addresses of both kinds, and the name."""
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org")] == [False] * 4


async def test_a_large_upload_takes_no_memory(settings: Settings) -> None:
    """64 MB that end as no model: the process grows by a few."""
    async with running_api(settings) as api:
        await upload(api, "1", adds(1))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        chunk = bytes(65_536)

        async def body() -> AsyncIterator[bytes]:
            manifest = json.dumps({"sha256": "0" * 64}).encode()
            yield b'--x\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n' + manifest
            yield b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            for _ in range(1_000):
                yield chunk
            yield b"\r\n--x--\r\n"

        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await api.put("/models/adds/versions/2", content=body(), headers=headers)
        assert answer.json()["field"] == "manifest.sha256"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_384


async def test_a_hot_switch_under_load_fails_no_request(deployed: RunningApi) -> None:
    """2,000 requests of 8 callers while versions are switched: each is answered by the version that it names."""
    await upload(deployed, "2", adds(2))
    answers = Counter[str]()
    left = iter(range(2_000))
    switching = asyncio.create_task(switch_to_and_fro(deployed))

    async def call() -> None:
        for number in left:
            version, y = await ask(deployed, number)
            assert y == number + int(version.removeprefix("adds@"))
            answers[version] += 1

    await asyncio.gather(*(call() for _ in range(8)))
    switching.cancel()
    assert sum(answers.values()) == 2_000
    assert min(answers["adds@1"], answers["adds@2"]) > 50


async def switch_to_and_fro(api: RunningApi) -> None:
    """Without end."""
    for number in range(1_000_000):
        answer = await api.put("/models/adds/live", json={"shares": {str(2 - number % 2): 1}})
        assert answer.status_code == 200, answer.text
