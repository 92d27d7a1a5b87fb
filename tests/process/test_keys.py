"""``zypher keys`` on a running Zypher, as a person would use it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.process.stack import Up
from zypher_jobs.testing import wait_until


@pytest.fixture
async def up(make_up: Callable[..., Up]) -> Up:
    """A running stack."""
    stack = make_up()
    await stack.start_and_wait()
    return stack


def asked(up: Up, headers: dict[str, str] | None = None) -> int:
    """The status of a prediction."""
    return httpx.post(f"{up.url}/predict", json={"input": "x"}, headers=headers).status_code


async def test_keys_are_made_used_and_revoked(up: Up) -> None:
    """The first closes the API; the dashboard's commands go on without being told one."""
    assert up.run("keys", "list").stdout.startswith("There are no keys")
    made = up.run("keys", "create", "shop", "--scope", "predict", "--expires", "30d", "--requests", "100/s")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert "shop" in made.stderr
    headers = {"Authorization": f"Bearer {token}"}
    await wait_until(lambda: asked(up) == 401)
    assert asked(up, headers) == 200
    top = up.run("top", "--once", "--json")
    assert json.loads(top.stdout)["sources"]["api"]["status"] == "up", top.stdout
    assert json.loads(top.stdout)["figures_from"] == "api"
    (listed,) = json.loads(up.run("keys", "list", "--json").stdout)
    assert (listed["name"], listed["scopes"], listed["requests"]) == ("shop", ["predict"], "100/s")
    assert "token" not in listed
    revoked = up.run("keys", "revoke", "shop")
    assert revoked.stdout.startswith("Revoked")
    assert "the last key" in revoked.stderr
    await wait_until(lambda: asked(up) == 200)


async def test_what_cannot_be_a_key_is_said_in_one_sentence(up: Up) -> None:
    """It names the option; nothing is made."""
    for arguments, said in {
        ("create", "a\nb"): "A key's name has",
        ("create", "x", "--expires", "soon"): "--expires 'soon' cannot be used",
        ("create", "x", "--requests", "many"): "--requests cannot be used: write 100/s",
        ("create", "x", "--scope", "root"): "'root' is not one of",
        ("revoke", "x"): "No key is called 'x'",
    }.items():
        refused = up.run("keys", *arguments)
        assert refused.returncode == 2
        assert said in refused.stderr
    assert json.loads(up.run("keys", "list", "--json").stdout) == []


def test_keys_need_a_zypher_that_runs(tmp_path: Path) -> None:
    """Or a Redis that is set."""
    refused = Up(tmp_path).run("keys", "list")
    assert refused.returncode == 1
    assert "run `zypher up`, or set ZYPHER_REDIS_URL" in refused.stderr
