"""API keys: who may call, what, and whose predictions it sees."""

from typing import Any

import httpx
import msgspec
import pytest
from litestar.handlers import ASGIRouteHandler
from litestar.routes import HTTPRoute

from tests.api.log_lines import log_lines
from tests.api.running import RunningApi, running_api, running_worker
from zypher_api.app import create_app
from zypher_api.auth import OWN_AUTH, Auth
from zypher_api.problems import Protected
from zypher_jobs.contracts.access import Scope
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.data_dir import DataDir
from zypher_jobs.testing import free_port, wait_until

ASYNC = {"Async-Mode": "true"}
OPEN = {
    *("/", "/docs", "/docs/rapidoc", "/docs/openapi.json", "/docs/{file}"),
    *("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"),
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def made(api: RunningApi, name: str, *scopes: str, by: str = "", **limits: Any) -> str:
    """The token of a new key."""
    asked = {"name": name, "scopes": list(scopes), **limits}
    answer = await api.post("/keys", json=asked, headers=bearer(by) if by else {})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.fixture
async def admin(api: RunningApi) -> str:
    """The first key, which closes the API to whoever has none."""
    return await made(api, "admin", "admin")


async def test_without_keys_this_machine_may_do_everything(api: RunningApi) -> None:
    """As before there were keys."""
    assert (await api.post("/predict", json={"input": "x"})).status_code == 200
    assert (await api.get("/keys")).json() == {"keys": []}


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"Host": "evil.example"}],
    ids=["X-Forwarded-For", "Forwarded", "Host"],
)
async def test_without_keys_nobody_else_may_do_anything(api: RunningApi, headers: dict[str, str]) -> None:
    """Who comes through a proxy, or from a page of the web that had its name lead here, is told the way out."""
    for refused in (
        await api.post("/predict", json={"input": "x"}, headers=headers),
        await api.get("/models", headers=headers),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "protected")
        assert "zypher keys create" in refused.json()["detail"]
    assert (await api.get("/health/live", headers=headers)).status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.7", "203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1"])
async def test_without_keys_other_machines_are_refused(api: RunningApi, address: str) -> None:
    """Whatever they say in headers."""
    scope: Any = {"client": (address, 1), "state": {}}
    with pytest.raises(Protected):
        api.services.auth.admit(scope, {b"host": b"127.0.0.1"}, {Scope.PREDICT})
    off = Auth(api.services.key_ring, "off")
    assert off.admit(scope, {}, {Scope.ADMIN}).name == "anonymous"


async def test_the_first_key_closes_the_api(api: RunningApi, admin: str) -> None:
    """401 with what is wanted, for none, a wrong one, a revoked one and what is no key."""
    for headers in (
        {},
        {"Authorization": "Basic eDp5"},
        bearer("zk_"),
        bearer("anything"),
        bearer(admin[:-1] + ("0" if admin[-1] != "0" else "1")),
        bearer("zk_000000000000_" + "0" * 48),
    ):
        refused = await api.post("/predict", json={"input": "x"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == 'Bearer realm="zypher"'
        assert (await api.get("/models", headers=headers)).status_code == 401
    assert (await api.post("/predict", json={"input": "x"}, headers=bearer(admin))).status_code == 200
    assert (await api.post("/predict", json={"input": "x"}, headers={"authorization": f"bearer  {admin}"})).is_success


async def test_every_route_but_the_open_ones_wants_a_key(api: RunningApi, admin: str) -> None:
    """Each of them, so that no new one is forgotten."""
    app = create_app(api.settings)
    open_ones: set[str] = set()
    for route in app.routes:
        handlers: list[Any] = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            methods = {"POST"} if isinstance(handler, ASGIRouteHandler) else handler.http_methods
            for method in methods - {"OPTIONS", "HEAD"}:
                path = route.path_format.replace("{", "").replace("}", "")
                answer = await api.request(method, path)
                if answer.status_code != 401:
                    open_ones.add(route.path_format)
                assert handler.opt.get(OWN_AUTH) is None or answer.status_code == 401
    assert open_ones == OPEN
    assert admin


async def test_a_key_may_do_what_its_scopes_say(api: RunningApi, admin: str) -> None:
    """One is enough of those that a route names; the problem names them."""
    tokens = {scope: await made(api, scope, scope, by=admin) for scope in ("predict", "read", "operate", "deploy")}
    allowed = {
        ("POST", "/predict"): {"predict"},
        ("GET", "/models"): {"predict", "read", "operate", "deploy"},
        ("GET", "/stats"): {"read", "operate"},
        ("GET", "/metrics"): {"read", "operate"},
        ("GET", "/webhooks"): {"read", "operate"},
        ("GET", "/keys"): set[str](),
        ("POST", "/models/mock/rollback"): {"deploy"},
    }
    for (method, path), scopes in allowed.items():
        for scope, token in tokens.items():
            answer = await api.request(method, path, json={"input": "x"}, headers=bearer(token))
            assert (answer.status_code == 403) == (scope not in scopes), (path, scope, answer.text)
    refused = await api.get("/stats", headers=bearer(tokens["predict"]))
    assert refused.json()["detail"] == (
        "The key 'predict' may not do this: it takes a key with the scope operate or read."
    )
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


async def test_a_caller_sees_its_own_predictions_only(api: RunningApi, admin: str) -> None:
    """Another's is as unknown as one that never was; who reads sees all, who operates acts on all."""
    mine, other = await made(api, "mine", "predict", by=admin), await made(api, "other", "predict", by=admin)
    reader, operator = await made(api, "reader", "read", by=admin), await made(api, "operator", "operate", by=admin)
    queued = await api.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(mine))
    now = await api.post("/predict", json={"input": "y"}, headers=bearer(mine))
    paths = [queued.headers["location"], f"/predict/{now.headers['prediction-id']}"]

    async def recorded() -> bool:
        return (await api.get(paths[1], headers=bearer(mine))).status_code == 200

    await wait_until(recorded)
    for path in paths:
        for token, status in ((mine, 200), (other, 404), (reader, 200), (operator, 200)):
            assert (await api.get(path, headers=bearer(token))).status_code == status
        assert (await api.get(f"{path}/deliveries", headers=bearer(other))).status_code == 404
    unknown = await api.get(paths[0], headers=bearer(other))
    assert unknown.json()["code"] == "unknown_prediction"
    assert (await api.get(f"{paths[0]}/events", headers=bearer(other))).status_code == 404

    async def listed(token: str) -> int:
        return len((await api.get("/predictions", headers=bearer(token))).json()["predictions"])

    assert [await listed(token) for token in (mine, other, reader)] == [2, 0, 2]
    for token, status in ((other, 404), (reader, 404), (operator, 200)):
        assert (await api.delete(paths[0], headers=bearer(token))).status_code == status


async def test_a_caller_cancels_its_own(api: RunningApi, admin: str) -> None:
    """Nobody has to ask an operator."""
    mine = await made(api, "mine", "predict", by=admin)
    queued = await api.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(mine))
    assert (await api.delete(queued.headers["location"], headers=bearer(mine))).json()["status"] == "canceled"


async def test_a_key_is_shown_once_and_kept_as_a_digest(api: RunningApi, admin: str) -> None:
    """Neither a list nor Redis holds what proves it."""
    token = await made(api, "shop", "predict", "predict", by=admin, requests="100/s", expires_in_s=60)
    listed = (await api.get("/keys", headers=bearer(admin))).json()["keys"]
    assert [(key["name"], key["scopes"], key.get("requests")) for key in listed] == [
        ("admin", ["admin"], None),
        ("shop", ["predict"], "100/s"),
    ]
    secret = token.rpartition("_")[2]
    redis: Any = api.services.queue
    kept = [await redis.hgetall(key) for key in await redis.keys("zypher:api-key*")]
    assert kept
    assert secret not in str(kept)
    assert secret not in (await api.get("/keys/shop", headers=bearer(admin))).text


async def test_a_revoked_key_is_refused_by_every_process(api: RunningApi, api_settings: Settings, admin: str) -> None:
    """Without a restart, and by the others as soon as they hear of it."""
    settings = msgspec.structs.replace(api_settings, port=free_port())
    async with running_api(settings) as second:
        token = await made(api, "shop", "predict", by=admin)

        async def status(of: httpx.AsyncClient) -> int:
            return (await of.post("/predict", json={"input": "x"}, headers=bearer(token))).status_code

        async def known() -> bool:
            return await status(second) == 200

        async def forgotten() -> bool:
            return await status(second) == 401

        assert await status(api) == 200
        await wait_until(known)
        assert (await api.delete("/keys/shop", headers=bearer(admin))).json()["name"] == "shop"
        assert await status(api) == 401
        await wait_until(forgotten)
    gone = await api.delete("/keys/shop", headers=bearer(admin))
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_key")


async def test_an_expired_key_is_refused(api: RunningApi, admin: str) -> None:
    """It says so, to whoever has the secret."""
    token = await made(api, "short", "predict", by=admin, expires_in_s=1)

    async def expired() -> bool:
        answer = await api.post("/predict", json={"input": "x"}, headers=bearer(token))
        return answer.status_code == 401 and "has expired" in answer.json()["detail"]

    await wait_until(expired)


@pytest.mark.parametrize(
    ("asked", "status", "code", "field"),
    [
        ({"name": ""}, 422, "invalid_input", "$.name"),
        ({"name": "a\x1b[31m"}, 422, "invalid_input", "$.name"),
        ({"name": "x", "scopes": []}, 422, "invalid_input", "$.scopes"),
        ({"name": "x", "scopes": ["root"]}, 422, "invalid_input", "$.scopes[0]"),
        ({"name": "x", "requests": "many"}, 422, "invalid_input", "$.requests"),
        ({"name": "x", "concurrent": 0}, 422, "invalid_input", "$.concurrent"),
        ({"name": "x", "expires_in_s": 0}, 422, "invalid_input", "$.expires_in_s"),
        ({"name": "x", "scope": "read"}, 422, "invalid_input", "$"),
        ({"name": "admin"}, 409, "conflict", None),
    ],
)
async def test_a_key_that_cannot_be(
    api: RunningApi, admin: str, asked: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    """The problem names the field."""
    refused = await api.post("/keys", json=asked, headers=bearer(admin))
    assert (refused.status_code, refused.json()["code"], refused.json().get("field")) == (status, code, field)


async def test_keys_that_are_known_work_while_redis_is_away(valkey_settings: Settings, valkey: EmbeddedServer) -> None:
    """And those that are not stay refused."""
    async with running_api(valkey_settings) as api:
        token = await made(api, "admin", "admin")
        valkey.kill()
        assert (await api.post("/predict", json={"input": "x"}, headers=bearer(token))).status_code == 200
        assert (await api.post("/predict", json={"input": "x"})).status_code == 401


async def test_where_keys_are_required_nobody_calls_before_they_could_be_read(
    valkey_settings: Settings, valkey: EmbeddedServer
) -> None:
    """503, until Redis is there; then 401."""
    valkey.kill()
    async with running_api(msgspec.structs.replace(valkey_settings, auth="required")) as api:
        for headers in ({}, bearer("zk_000000000000_" + "0" * 48)):
            refused = await api.post("/predict", json={"input": "x"}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (503, "redis_unavailable")
        valkey.start()

        async def is_read() -> bool:
            return (await api.post("/predict", json={"input": "x"})).status_code == 401

        await wait_until(is_read, timeout_s=20)


async def test_the_data_directorys_key_may_do_everything(api_settings: Settings) -> None:
    """With it this machine's dashboard works when there are keys; whoever else may read the file makes it void."""
    data_dir = DataDir(api_settings.data_dir)
    data_dir.path.mkdir()
    data_dir.make_local_token()
    token = data_dir.local_token()
    assert token is not None
    async with running_api(api_settings) as api:
        await made(api, "admin", "admin")
        assert (await api.get("/stats", headers=bearer(token))).status_code == 200
        assert (await api.get("/stats")).status_code == 401
        assert [key["name"] for key in (await api.get("/keys", headers=bearer(token))).json()["keys"]] == ["admin"]
    (data_dir.path / "local-key").chmod(0o644)
    assert data_dir.local_token() is None


async def test_callers_with_keys_take_turns(api: RunningApi, admin: str) -> None:
    """One key's many do not make another's one wait behind all of them."""
    many, few = await made(api, "many", "predict", by=admin), await made(api, "few", "predict", by=admin)
    for number in range(20):
        await api.post("/predict", json={"input": f"{number}"}, headers=ASYNC | bearer(many))
    one = await api.post("/predict", json={"input": "one"}, headers=ASYNC | bearer(few))
    read = await api.get(one.headers["location"], headers=bearer(few))
    assert read.json()["queue_position"] < 5
    async with running_worker(api):
        ended = await api.get(one.headers["location"] + "?wait=20", headers=bearer(few))
        assert ended.json()["status"] == "succeeded"


async def test_the_log_says_whose_key_it_was(api: RunningApi, admin: str) -> None:
    """By name; of a caller without one nothing."""
    with log_lines() as lines:
        known = await api.get("/models", headers=bearer(admin))
        refused = await api.get("/models")
        assert (await lines.line(request_id=known.headers["request-id"]))["key"] == "admin"
        assert "key" not in await lines.line(request_id=refused.headers["request-id"])
