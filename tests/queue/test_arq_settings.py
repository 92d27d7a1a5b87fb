"""What the stock ``arq`` command makes of our settings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from arq.connections import RedisSettings

from zypher_jobs.errors import SettingError
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.worker.stock_settings import redis_settings_of, worker_settings_of


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://cache", {"host": "cache"}),
        ("redis://cache:6380/3", {"host": "cache", "port": 6380, "database": 3}),
        ("redis://cache?db=4", {"host": "cache", "database": 4}),
        ("redis://zypher:p%40ss%2Fword@cache", {"host": "cache", "username": "zypher", "password": "p@ss/word"}),
        ("redis://:secret@cache", {"host": "cache", "password": "secret"}),
        ("unix:///run/a%20b.sock?db=2", {"unix_socket_path": "/run/a b.sock", "database": 2}),
        ("unix://zypher:secret@/r.sock", {"unix_socket_path": "/r.sock", "username": "zypher", "password": "secret"}),
        ("rediss://cache/1", {"host": "cache", "database": 1, "ssl": True}),
        (
            "rediss://cache?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_check_hostname=true",
            {"host": "cache", "ssl": True, "ssl_ca_certs": "/ca.pem", "ssl_certfile": "/c.pem"}
            | {"ssl_keyfile": "/k.pem", "ssl_check_hostname": True},
        ),
        ("rediss://cache?ssl_cert_reqs=none", {"host": "cache", "ssl": True, "ssl_cert_reqs": "none"}),
        ("redis://cache?socket_timeout=7&max_connections=9", {"host": "cache", "max_connections": 9}),
        (
            "redis+sentinel://one,two:26380/main",
            {"host": [("one", 26379), ("two", 26380)], "sentinel": True, "sentinel_master": "main"},
        ),
        (
            "redis+sentinel://zypher:p%40ss@[::1]:5/main/2",
            {"host": [("::1", 5)], "sentinel": True, "sentinel_master": "main", "database": 2}
            | {"username": "zypher", "password": "p@ss"},
        ),
    ],
)
def test_every_part_of_the_url_reaches_arq(url: str, said: dict[str, Any]) -> None:
    """Place, user, password, database, TLS and sentinels; the rest is as arq has it."""
    assert redis_settings_of(url) == RedisSettings(**said)


@pytest.mark.parametrize(
    "url",
    [
        "rediss+sentinel://one/main",
        "redis+sentinel://one/main?sentinel_password=secret",
        "rediss://cache?ssl_min_version=771",
    ],
)
def test_what_arq_cannot_do_is_refused(url: str) -> None:
    """In one sentence that says what can, instead of a connection with less protection than was asked for."""
    with pytest.raises(SettingError, match="take `zypher worker`") as refused:
        redis_settings_of(url)
    assert "secret" not in refused.value.message


def test_without_a_url_it_is_the_embedded_server(tmp_path: Path) -> None:
    """Wherever the data directory is."""
    made: Any = worker_settings_of(msgspec.structs.replace(Settings(), data_dir=tmp_path / "a%20 b?c"))
    assert made.redis_settings.unix_socket_path == str(EmbeddedServer(tmp_path / "a%20 b?c").socket_path)


@pytest.mark.parametrize("scheme", ["redis+sentinel", "rediss+sentinel"])
def test_our_worker_starts_whatever_arq_can_make_of_the_url(scheme: str) -> None:
    """arq's settings are made when arq asks for them."""
    environment = {"ZYPHER_REDIS_URL": f"{scheme}://127.0.0.1:1/main", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", "import zypher_jobs.worker.main"]
    assert subprocess.run(command, env=environment, timeout=30, check=False).returncode == 0
