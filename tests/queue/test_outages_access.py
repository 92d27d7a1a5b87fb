"""What a URL may say: user and password, database number, TLS; the client, the worker and its keeper all obey it."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.queue.outages import all_succeed, settings_for, submit_steadily, working
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port


@pytest.fixture
def tcp_server(tmp_path: Path) -> Iterator[tuple[EmbeddedServer, int]]:
    """A server that listens on a TCP port too."""
    port = free_port()
    server = EmbeddedServer(tmp_path / "valkey", arguments=("--bind", "127.0.0.1", "--port", str(port)))
    server.start()
    yield server, port
    server.kill()


async def test_an_acl_user_with_a_password_and_a_database(
    tcp_server: tuple[EmbeddedServer, int], tmp_path: Path
) -> None:
    """No more rights than its own keys, and no administration; everything is in the database that was named."""
    server, port = tcp_server
    admin: Any = Redis(unix_socket_path=str(server.socket_path))
    keys = ("~arq:*", "~zypher:*", "&zypher:*")
    await admin.execute_command("ACL", "SETUSER", "zypher", "on", ">p@ss/word", *keys, "+@all", "-@admin")
    await admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">of-the-administrator")
    url = f"redis://zypher:p%40ss%2Fword@127.0.0.1:{port}/3"
    async with working(settings_for(url, tmp_path)) as (queue, _):
        await all_succeed(queue, await submit_steadily(queue, 5))
    assert list(await admin.info("keyspace")) == ["db3"]
    await admin.aclose()


@pytest.mark.parametrize("user", ["", "zypher:wrong@"])
async def test_a_wrong_password_is_said_without_it(
    tcp_server: tuple[EmbeddedServer, int], tmp_path: Path, user: str
) -> None:
    """One sentence that names the setting."""
    server, port = tcp_server
    async with Redis(unix_socket_path=str(server.socket_path)) as client:
        admin: RedisClient = client
        await admin.execute_command("CONFIG", "SET", "requirepass", "secret")
    queue = PredictionQueue.from_settings(settings_for(f"redis://{user}127.0.0.1:{port}", tmp_path))
    with pytest.raises(RedisUnavailable, match="refuses the user or password of ZYPHER_REDIS_URL") as refused:
        await queue.submit("mock", {"input": "x"})
    assert "wrong" not in refused.value.message
    await queue.aclose()


async def test_a_unix_socket_with_a_database(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """``unix:///path?db=2``."""
    async with working(settings_for(f"{valkey.url}?db=2", tmp_path)) as (queue, _):
        await all_succeed(queue, await submit_steadily(queue, 5))
        client: Any = queue
        assert list(await client.info("keyspace")) == ["db2"]


async def test_tls_with_a_certificate_that_is_checked(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """``rediss://`` reaches a server behind TLS, and refuses one whose certificate nobody vouches for."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(valkey.socket_path)
        await asyncio.gather(pass_on(reader, server_writer), pass_on(server_reader, writer))

    # the wheel's server has no TLS of its own: this is what stands before it
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as front:
        port = front.sockets[0].getsockname()[1]
        url = f"rediss://localhost:{port}/1?ssl_ca_certs={certificate}"
        async with working(settings_for(url, tmp_path)) as (queue, _):
            await all_succeed(queue, await submit_steadily(queue, 5))
        stranger = PredictionQueue.from_settings(settings_for(f"rediss://localhost:{port}", tmp_path))
        with pytest.raises(RedisUnavailable):
            await stranger.submit("mock", {"input": "x"})
        await stranger.aclose()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From one side to the other until it ends."""
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate of ``localhost`` that vouches for itself, and its key."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the openssl command is not here")
    return certificate, key
