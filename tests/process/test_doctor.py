"""``zypher doctor`` and the command line: what they say, with which exit code."""

import socket
import sys
from collections.abc import Callable
from typing import Any

import redis

from tests.process.stack import Up
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings


def test_doctor_finds_nothing_wrong_on_a_fresh_machine(make_up: Callable[..., Up]) -> None:
    """Every part has its line; what does not run is no fault; nothing is started or left."""
    up = make_up()
    done = up.run("doctor")
    assert done.returncode == 0, done.stdout
    for line in (
        f"✓ ok    python    {sys.version.split()[0]}",
        "✓ ok    server    Valkey 9.1.2",
        f"✓ ok    data      {up.data_dir} is free and can be written",
        f"✓ ok    port      {up.port} on 127.0.0.1 is free",
        "✓ ok    model     mock@1 loads in",
        "! note  redis     does not run; `zypher up` starts it",
        "! note  api       does not run",
        "! note  workers   none run",
    ):
        assert line in done.stdout
    assert not up.data_dir.exists()
    assert up.survivors() == []


def test_doctor_prints_every_setting_with_its_source_and_no_secret(make_up: Callable[..., Up]) -> None:
    """Environment, file and default are told apart; the password of the Redis URL is not shown."""
    up = make_up()
    (up.directory / "zypher.toml").write_text("grace_s = 7.0\n")
    done = up.run("doctor", redis_url=f"redis://me:s3cret@127.0.0.1:{up.port}/0")
    lines = [line.split() for line in done.stdout.splitlines()]
    shown = {words[0]: words[1:3] for words in lines if words[0].startswith("ZYPHER_")}
    assert set(shown) == {f"ZYPHER_{name.upper()}" for name in Settings.__struct_fields__}
    assert shown["ZYPHER_GRACE_S"] == ["7", "(zypher.toml)"]
    assert shown["ZYPHER_PORT"] == [str(up.port), "(ZYPHER_PORT)"]
    assert shown["ZYPHER_HOST"] == ["127.0.0.1", "(default)"]
    assert shown["ZYPHER_URL"] == ["unset", "(default)"]
    assert shown["ZYPHER_WEBHOOK_ALLOW"] == ["none", "(default)"]
    assert "s3cret" not in done.stdout + done.stderr
    assert f"redis://***@127.0.0.1:{up.port}/0" in done.stdout


def test_doctor_fails_on_what_would_stop_the_start(make_up: Callable[..., Up]) -> None:
    """A taken port, a Redis that is away and a model that is none: each has its line, exit code 1."""
    up = make_up(models="no_such_module:Model")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", up.port))
        taken.listen()
        done = up.run("doctor", redis_url="redis://127.0.0.1:1")
    assert done.returncode == 1
    wrong = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("✗ wrong")]
    assert wrong == ["port", "models", "redis"]


def test_doctor_warns_of_a_redis_that_may_forget(make_up: Callable[..., Up], valkey: EmbeddedServer) -> None:
    """An eviction policy and no append-only file are notes, not faults."""
    client: Any = redis.Redis(unix_socket_path=str(valkey.socket_path))
    with client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
    done = make_up().run("doctor", redis_url=valkey.url)
    assert done.returncode == 0, done.stdout
    assert "! note  redis     maxmemory-policy is allkeys-lru" in done.stdout
    assert "! note  redis     appendonly is off" in done.stdout


def test_an_unknown_setting_ends_doctor_with_the_nearest_name(make_up: Callable[..., Up]) -> None:
    """It can look no further."""
    done = make_up().run("doctor", wrokers="3")
    assert done.returncode == 1
    assert "✗ wrong settings  ZYPHER_WROKERS is not a setting. Did you mean ZYPHER_WORKERS?" in done.stdout


def test_help_lists_the_commands(make_up: Callable[..., Up]) -> None:
    """``zypher --help`` and ``--version`` work whatever the settings are."""
    up = make_up()
    shown = up.run("--help", prot="1")
    assert shown.returncode == 0
    for command in ("up", "api", "worker", "tui", "top", "new-model", "predict", "doctor"):
        assert f"\n  {command} " in shown.stdout
    assert up.run("--version").stdout.startswith("zypher, version ")
