"""The multiplexed connection: replies in order, messages between them, and its ends."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from zypher_jobs.queue.connection import connection_pool
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.wire import Script, Wire
from zypher_jobs.testing import wait_until

ANSWER_S = 0.5


@pytest.fixture
async def wire(valkey: EmbeddedServer) -> AsyncIterator[Wire]:
    """To a server of the test's own."""
    made = Wire(connection_pool(valkey.url, timeout_s=ANSWER_S))
    yield made
    await made.aclose()


async def test_replies_are_matched_in_order_whatever_they_are(wire: Wire) -> None:
    """A hundred at once, errors among them, and some that leave behind a PING."""
    link = await wire.link()
    calls = [
        link.send("ECHO" if number % 7 else "NO-SUCH", str(number), publishes=number % 3 == 0) for number in range(100)
    ]
    for number, reply in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
        if number % 7:
            assert reply == str(number).encode()
        else:
            assert isinstance(reply, ResponseError)


async def test_messages_come_between_replies(wire: Wire) -> None:
    """Those that are published once the subscription has returned are all heard, in order."""
    heard: list[bytes] = []
    await wire.subscribe("news", heard.append)
    for number in range(10):
        assert await wire.call("PUBLISH", "news", str(number)) == 1
    assert heard == [str(number).encode() for number in range(10)]


async def test_a_caller_that_goes_away_takes_no_reply_of_others(wire: Wire) -> None:
    """Its own is dropped."""
    link = await wire.link()
    gone, other = link.send("ECHO", "gone"), link.send("ECHO", "other")
    gone.cancel()
    assert await other == b"other"


async def test_a_killed_connection_is_made_again_under_the_call(wire: Wire) -> None:
    """What was under way is sent once more; subscriptions are told that they ended."""
    lost: list[Exception] = []
    watched = Wire(wire._pool, lost=lost.append)  # pyright: ignore[reportPrivateUsage]
    await watched.subscribe("news", lambda _: None)
    own_id = await watched.call("CLIENT", "ID")
    assert await wire.call("CLIENT", "KILL", "ID", str(own_id)) == 1
    await wait_until(lambda: len(lost) == 1)
    assert await watched.call("PING") == b"PONG"
    await watched.aclose()


async def test_a_silent_server_is_waited_for_once(wire: Wire, valkey: EmbeddedServer) -> None:
    """All that wait on the connection get the time-out together; afterwards it works again."""
    assert await wire.call("PING") == b"PONG"
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        link, began_s = await wire.link(), time.perf_counter()
        replies = await asyncio.gather(*(link.send("PING") for _ in range(5)), return_exceptions=True)
        assert {type(reply) for reply in replies} == {RedisTimeoutError}
        assert time.perf_counter() - began_s < 2 * ANSWER_S
    finally:
        os.kill(valkey.pid, signal.SIGCONT)
    assert await wire.call("PING") == b"PONG"


async def test_a_server_that_is_gone_is_a_connection_error(wire: Wire, valkey: EmbeddedServer) -> None:
    """At once."""
    assert await wire.call("PING") == b"PONG"
    valkey.kill()
    with pytest.raises(RedisConnectionError):
        await wire.call("PING")
    valkey.start()
    assert await wire.call("PING") == b"PONG"


async def test_a_script_that_the_server_forgot_is_sent_whole(wire: Wire) -> None:
    """And by its digest from then on."""
    script = Script(wire, "return {KEYS[1], ARGV[1]}")
    for _ in range(2):
        assert await script(keys=("a",), args=("b",)) == [b"a", b"b"]
    await wire.call("SCRIPT", "FLUSH")
    assert await script(keys=("a",), args=("b",)) == [b"a", b"b"]


async def test_what_redis_py_writes_and_what_the_wire_reads_is_one_database(wire: Wire, valkey: EmbeddedServer) -> None:
    """The handshake of redis-py selects it for both."""
    in_three = Wire(connection_pool(f"{valkey.url}?db=3", timeout_s=ANSWER_S))
    await in_three.call("SET", "here", "1")
    assert await wire.call("EXISTS", "here") == 0
    await in_three.aclose()
