"""What is wrong with real servers of every kind, as the dashboard tells it, and the way out of it."""

import asyncio
import ssl
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import trustme
from textual.pilot import Pilot

from tests.api.running import RunningApi, running_api
from tests.tui.screen import screen_text
from tests.tui.serving import http_server, url_of
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.readings import Fault, SourceName
from zypher_tui.core.troubles import Addresses, shown_address
from zypher_tui.opening import openers_of
from zypher_tui.sources.api import ApiSource
from zypher_tui.sources.redis import RedisSource
from zypher_tui.top.asking import Sources, ask


class Shown:
    """A running dashboard on a terminal of 80 by 24."""

    def __init__(self, dashboard: Dashboard, pilot: Pilot[int]) -> None:
        self.dashboard = dashboard
        self.pilot = pilot

    @property
    def text(self) -> str:
        """What stands on it, in one line: sentences break where the screen ends."""
        return " ".join(screen_text(self.dashboard).replace("│", " ").split())

    async def says(self, *parts: str) -> None:
        """Wait until all of them stand there."""
        await wait_until(lambda: all(part in self.text for part in parts), timeout_s=20)

    async def copied(self) -> str:
        """What the key that copies puts on the clipboard."""
        await self.pilot.press("c")
        await wait_until(lambda: self.dashboard.clipboard)
        return self.dashboard.clipboard


@asynccontextmanager
async def shown(api_url: str, redis_url: str | None = None, *, api_key: str | None = None) -> AsyncGenerator[Shown]:
    """The dashboard over these addresses, as ``run_dashboard`` makes it."""
    openers = openers_of(api_url, redis_url, api_key=api_key)
    addresses = Addresses(api_url=api_url, redis=shown_address(redis_url or ""), has_key=api_key is not None)
    dashboard = Dashboard(openers, api_url=api_url, interval_s=0.1, addresses=addresses)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        yield Shown(dashboard, pilot)


async def made(api: RunningApi, name: str, scope: str, *, by: str = "") -> str:
    """The token of a new key."""
    headers = {"Authorization": f"Bearer {by}"} if by else {}
    answer = await api.post("/keys", json={"name": name, "scopes": [scope]}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def test_keys_are_wanted_wrong_or_not_for_that(settings: Settings) -> None:
    """Of a real API: each has its sentence and the command that makes the right one; with that there are figures."""
    async with running_api(settings) as api:
        admin = await made(api, "admin", "admin")
        shop = await made(api, "shop", "predict", by=admin)
        url = url_of(settings)
        async with shown(url) as screen:
            await screen.says("API ⊘ refuses", "was asked without one (401)")
            await screen.says(f"ZYPHER_API_KEY=zk_… zypher tui --api-url {url}")
            assert await screen.copied() == "zypher keys create dashboard --scope read"
        async with shown(url, api_key="zk_000000000000_" + "0" * 48) as screen:
            await screen.says("API ⊘ refuses", "does not know the key of ZYPHER_API_KEY")
        async with shown(url, api_key=shop) as screen:
            await screen.says("The key 'shop' may not do this: it takes a key with the scope", "takes the scope read")
            assert await screen.copied() == "zypher keys create dashboard --scope read"
        async with shown(url, api_key=await made(api, "dashboard", "read", by=admin)) as screen:
            await screen.says("API ● up", "Needs attention")
        async with shown(url, settings.redis_url) as screen:
            await screen.says("API ⊘ refuses", "Figures come straight from Redis. ! what to do", "Needs attention")
            await screen.pilot.press("!")
            await screen.says("What is wrong", "zypher keys create dashboard --scope read c copies it")
            assert await screen.copied() == "zypher keys create dashboard --scope read"


@contextmanager
def web_server(directory: Path, context: ssl.SSLContext | None = None) -> Generator[str]:
    """Python's own, which lists the directory; yields its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(directory)))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
        """Nothing."""


def tls_context() -> ssl.SSLContext:
    """Of an authority that nobody here knows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued: Any = trustme.CA().issue_cert("127.0.0.1")
    issued.configure_cert(context)
    return context


async def test_another_web_server_is_named(tmp_path: Path) -> None:
    """By what it says of itself, on one screen with the way to one's own."""
    with web_server(tmp_path) as url:
        async with shown(url) as screen:
            await screen.says("API ✗ away", "What answers there is no Zypher: 404", "SimpleHTTP", "ZYPHER_PORT")
            assert await screen.copied() == f"curl -i -m 5 {url}"


@pytest.mark.parametrize(
    ("start", "path", "fault", "words"),
    [
        ("page", "", Fault.FOREIGN, "no Zypher: 200, Welcome"),
        ("elsewhere", "", Fault.TLS, "it wants to be asked with https"),
        ("proxy", "", None, "a proxy before it answers 502"),
        ("login", "", Fault.FOREIGN, "no Zypher: 401"),
        ("tls", "http", Fault.CLOSED, "it closed the connection"),
        ("plain", "https", Fault.NO_TLS, "it speaks no TLS"),
        ("tls", "https", Fault.CERTIFICATE, "its certificate is not trusted here"),
    ],
)
async def test_whatever_answers_is_told_apart(
    start: str, path: str, fault: Fault | None, words: str, tmp_path: Path
) -> None:
    """A page for everything, a redirection, a proxy, a login; TLS or none where the other was meant."""
    answers: dict[str, tuple[int, str]] = {
        "page": (200, "<html><title>Welcome</title>"),
        "elsewhere": (308, ""),
        "proxy": (502, "<html>"),
        "login": (401, ""),
    }
    with ExitStack() as servers:
        if start in answers:
            head = {"Location": "https://127.0.0.1/"} if start == "elsewhere" else {}
            async with http_server(lambda _: answers[start], head) as url:
                reading = await read(url)
        else:
            url = servers.enter_context(web_server(tmp_path, tls_context() if start == "tls" else None))
            reading = await read(f"{path}:{url.partition(':')[2]}")
    assert words in (reading.error or "")
    assert reading.fault in (fault, Fault.OTHER if fault is None else fault)


async def read(url: str) -> Any:
    source = ApiSource(url)
    try:
        return await source.read(overview=True)
    finally:
        await source.aclose()


@pytest.fixture
def redis_port(tmp_path: Path) -> Generator[int]:
    """A port on which a Valkey listens that wants a password."""
    port = free_port()
    arguments = ("--bind", "127.0.0.1", "--port", str(port))
    server = EmbeddedServer(tmp_path / "locked", appendonly=False, arguments=arguments)
    server.start()
    connection: Any = redis.Redis(unix_socket_path=str(server.socket_path))
    with connection as client:
        client.config_set("requirepass", "se-cret")
    yield port
    server.kill()


@pytest.mark.parametrize(
    ("said", "fault"), [(b"\x15\x03\x01\x00\x02\x02\x46", Fault.TLS), (b"SSH-2.0-OpenSSH_9\r\n\r\n", Fault.FOREIGN)]
)
async def test_what_is_no_http_is_told_apart(said: bytes, fault: Fault) -> None:
    """An alert of TLS, where a server sends one, and any other protocol; the same for ``zypher top``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await read(url)).fault is fault
        (asked,) = await asyncio.to_thread(ask, Sources(api_url=url, redis_url=None))
        assert asked.fault is fault


async def test_a_port_that_speaks_no_http(redis_port: int) -> None:
    """That of Redis: it hangs up."""
    reading = await read(f"http://127.0.0.1:{redis_port}")
    assert (reading.fault, reading.error) == (Fault.CLOSED, "it closed the connection")


@pytest.mark.parametrize("user", ["", "me:wrong@", ":wrong@"])
async def test_a_redis_that_refuses_the_password(redis_port: int, user: str) -> None:
    """None, a wrong one and a wrong user: never shown, with the place where the right one belongs."""
    async with shown(f"http://127.0.0.1:{free_port()}", f"redis://{user}127.0.0.1:{redis_port}/0") as screen:
        await screen.says(
            "Redis ✗ away",
            "It refuses the user or the password of its address",
            f"ZYPHER_REDIS_URL=redis://USER:PASSWORD@127.0.0.1:{redis_port}/0",
        )
        assert "wrong" not in screen.text
    async with shown(f"http://127.0.0.1:{free_port()}", f"redis://:se-cret@127.0.0.1:{redis_port}/0") as screen:
        await screen.says("Redis ● up", "Figures come straight from Redis.", "API ✗ away")
        assert "se-cret" not in screen.text


async def test_a_redis_that_is_none(tmp_path: Path) -> None:
    """A web server has its port."""
    with web_server(tmp_path) as url:
        source = RedisSource(url.replace("http", "redis"))
        reading = await source.read(overview=True)
        await source.aclose()
    assert (reading.fault, reading.error) == (Fault.FOREIGN, "does not answer there: something else does")


async def test_nothing_runs_and_then_it_does(settings: Settings) -> None:
    """The command that starts it all, and figures as soon as it runs; a machine's name that nobody knows."""
    url = url_of(settings)
    async with shown(url) as screen:
        await screen.says("API ✗ away", "Nothing listens there", url, "Nothing to show yet")
        assert await screen.copied() == "zypher up"
        async with running_api(settings):
            await screen.says("API ● up", "Needs attention")
            assert "Nothing to show yet" not in screen.text
        await screen.says("API away", "old.", "! what to do")
    async with shown("http://no-such-machine.invalid:8080") as screen:
        await screen.says("API ✗ away", "No machine called no-such-machine.invalid is found from here")


async def test_an_api_of_another_version(settings: Settings) -> None:
    """It answers what this one cannot read: both versions, and how to get the same."""
    async with running_api(settings) as api:
        health = (await api.get("/health")).text
        overview = (await api.get("/stats")).json()
    del overview["queue"]
    other = health.replace('"version":"', '"version":"9.')
    texts = {"/health/live": '{"live":true}', "/health": other, "/stats": msgspec.json.encode(overview).decode()}
    async with http_server(lambda path: (200, texts.get(path.partition("?")[0], "{}"))) as url, shown(url) as screen:
        await screen.says("API ▲ not understood", "not as this version of Zypher expects")
        await screen.says("It is Zypher 9.", "pip install zypher==9.")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://user:p%40ss@host:6379/3?x=secret", "redis://host:6379/3"),
        ("unix:///tmp/valkey.sock?password=secret", "unix:///tmp/valkey.sock"),
        ("redis+sentinel://:secret@a:26379,b:26379/main", "redis+sentinel://a:26379,b:26379/main"),
        ("", ""),
    ],
)
def test_the_address_of_redis_is_shown_without_secrets(url: str, address: str) -> None:
    """User, password and options are left out."""
    assert shown_address(url) == address


async def test_the_key_that_tells_what_is_wrong_says_when_nothing_is(settings: Settings) -> None:
    """In a box that closes again."""
    async with running_api(settings), shown(url_of(settings)) as screen:
        await screen.says("API ● up")
        await screen.pilot.press("!")
        await screen.says("What is wrong", "The API and Redis are up.")
        await screen.pilot.press("escape")
        await wait_until(lambda: "What is wrong" not in screen.text)
        assert screen.dashboard.feeds.sources[SourceName.API].name is SourceName.API
