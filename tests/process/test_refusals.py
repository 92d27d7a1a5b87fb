"""What keeps Zypher from starting: one clear sentence on stderr, exit code not 0, nothing half-started."""

import socket
from collections.abc import Callable

import pytest

from tests.process.stack import Up
from zypher_jobs.testing import free_port


def refused(up: Up, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command that must not start; its exit code and its one sentence."""
    done = up.run(*(arguments or ("up",)), **settings)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert up.survivors() == []
    return done.returncode, done.stderr.strip()


def test_a_taken_port(make_up: Callable[..., Up]) -> None:
    """The sentence names port, host and setting."""
    up = make_up()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", up.port))
        taken.listen()
        assert refused(up) == (
            1,
            f"Port {up.port} on 127.0.0.1 is taken by another program; stop that or set ZYPHER_PORT.",
        )


def test_a_host_that_is_not_ours(make_up: Callable[..., Up]) -> None:
    """An address of another machine."""
    code, sentence = refused(make_up(host="192.0.2.1"))
    assert code == 1
    assert sentence == "ZYPHER_HOST=192.0.2.1 is not an address of this machine; 127.0.0.1 always is."


async def test_a_data_directory_in_use(make_up: Callable[..., Up]) -> None:
    """The sentence names the other one's process, which goes on undisturbed."""
    up = make_up(workers=0)
    await up.start_and_wait()
    other = up.run("up", port=str(make_up().port))
    assert other.returncode == 1
    assert other.stderr == (
        f"The data directory {up.data_dir} is in use by another Zypher (pid {up.pid}); "
        f"stop it or set ZYPHER_DATA_DIR.\n"
    )
    assert up.run("doctor").returncode == 0


def test_a_data_directory_that_cannot_be_made(make_up: Callable[..., Up]) -> None:
    """A file stands where a directory is needed."""
    up = make_up()
    up.data_dir.write_text("a file")
    assert refused(up) == (
        1,
        f"The data directory {up.data_dir} cannot be used: file exists; set ZYPHER_DATA_DIR.",
    )


def test_an_unreachable_redis_without_its_password(make_up: Callable[..., Up]) -> None:
    """The sentence shows where it looked, and neither user nor password."""
    port = make_up().port
    code, sentence = refused(make_up(redis_url=f"redis://someone:s3cret@127.0.0.1:{port}/0"))
    assert code == 1
    assert sentence == (
        f"Redis cannot be reached (redis://***@127.0.0.1:{port}/0); start it or correct ZYPHER_REDIS_URL, "
        f"or unset that to use the embedded server."
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://:pa/s3cret@127.0.0.1:x/0"])
def test_a_redis_url_that_is_none(make_up: Callable[..., Up], url: str) -> None:
    """A wrong scheme or a password that was not encoded is a wrong setting, and is not printed."""
    code, sentence = refused(make_up(redis_url=url))
    assert code == 2
    assert sentence.startswith("ZYPHER_REDIS_URL ")
    assert "s3cret" not in sentence


@pytest.mark.parametrize("command", ["up", "api", "worker", "tui"])
def test_an_unknown_setting(make_up: Callable[..., Up], command: str) -> None:
    """A typing error stops every part, with the nearest name."""
    assert refused(make_up(), command, prot="1") == (2, "ZYPHER_PROT is not a setting. Did you mean ZYPHER_PORT?")


def test_a_model_that_cannot_be_served_ends_the_start(make_up: Callable[..., Up]) -> None:
    """The children find it out: one of them is quoted, all end, and trying again is left to the person."""
    up = make_up(models="no_such_module:Model", workers=2)
    done = up.run("up")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "no_such_module" in done.stderr
    assert up.survivors() == []


@pytest.mark.parametrize("command", ["api", "worker", "tui", "top --once"])
def test_a_part_alone_says_what_it_lacks(make_up: Callable[..., Up], command: str) -> None:
    """No Redis is named and none runs on the data directory."""
    up = make_up()
    assert refused(up, *command.split()) == (
        1,
        f"No Zypher runs on the data directory {up.data_dir}: run `zypher up`, or set ZYPHER_REDIS_URL.",
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--api-url", "localhost:8080"),
            "'localhost:8080' is not a URL such as http://127.0.0.1:8080. Did you mean http://localhost:8080?",
        ),
        (
            ("--api-url", "http://127.0.0.1:http"),
            "'http://127.0.0.1:http' is not a URL such as http://127.0.0.1:8080. Write http://HOST:8080.",
        ),
        (("--redis", "s3cret@host"), "--redis cannot be used: it must be like redis://host:6379/0"),
    ],
)
def test_an_address_that_can_be_none_is_said_before_anything_is_shown(
    make_up: Callable[..., Up], options: tuple[str, ...], sentence: str
) -> None:
    """With what was probably meant; a password is not repeated."""
    for command in (("tui",), ("top", "--once")):
        _, said = refused(make_up(), *command, *options)
        assert said.startswith(sentence)
        assert "s3cret" not in said


def test_an_address_that_was_named_and_is_away_is_told_as_that(make_up: Callable[..., Up]) -> None:
    """Not as nothing that runs here."""
    done = make_up().run("top", "--once", "--api-url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr == "Nothing answers (API: connection refused). `zypher up` starts everything.\n"


def test_top_says_which_flag_it_needs(make_up: Callable[..., Up]) -> None:
    """It prints once and never follows."""
    done = make_up().run("top")
    assert done.returncode == 2
    assert "--once" in done.stderr
