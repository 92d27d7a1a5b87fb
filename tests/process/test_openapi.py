"""``zypher openapi``: the document without a server."""

import json
from collections.abc import Callable

import httpx

from tests.process.stack import Up


async def test_it_prints_what_the_server_says_of_itself(make_up: Callable[..., Up]) -> None:
    """Before anything runs, and without a directory for its data."""
    up = make_up()
    printed = up.run("openapi")
    assert printed.returncode == 0, printed.stderr
    assert not up.data_dir.exists()
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url) as client:
        assert json.loads(printed.stdout) == (await client.get("/docs/openapi.json")).json()
