"""Settings: what each may be, what wins over what, and what is said of a wrong one."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from zypher_jobs.errors import SettingError
from zypher_jobs.settings import (
    DESCRIPTIONS,
    LatencyRange,
    LatencyTail,
    Pauses,
    Settings,
    load_settings,
    load_with_sources,
    parse_latency,
)

GOOD: dict[str, tuple[str, Any]] = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("9000", 9000),
    "api_processes": ("4", 4),
    "redis_url": ("redis://:secret@cache:6380/2", "redis://:secret@cache:6380/2"),
    "redis_timeout_s": ("0.25", 0.25),
    "data_dir": ("/srv/zypher", Path("/srv/zypher")),
    "workers": ("0", 0),
    "concurrency": ("1", 1),
    "models": (" shop:Price, shop.stock:Left ,", ("shop:Price", "shop.stock:Left")),
    "default_model": ("digits", "digits"),
    "mock_latency_ms": ("5-20", LatencyRange(5, 20)),
    "mock_failure_rate": ("0.5", 0.5),
    "mock_crash_rate": ("0.01", 0.01),
    "mock_memory_mb": ("64", 64),
    "run_timeout_s": ("60", 60.0),
    "max_attempts": ("1", 1),
    "queue_limit": ("0", 0),
    "shed_wait_s": ("0", 0.0),
    "lease_s": ("0.5", 0.5),
    "grace_s": ("0", 0.0),
    "retention_s": ("60", 60),
    "history_s": ("3600", 3600),
    "idempotency_s": ("60", 60),
    "on_disconnect": ("continue", "continue"),
    "max_body_bytes": ("2048", 2048),
    "auth": ("Required", "required"),
    "url": ("https://zypher.example/api/", "https://zypher.example/api"),
    "api_key": ("zk_3f9a1c0b7d2e_00ff", "zk_3f9a1c0b7d2e_00ff"),
    "deploy": ("On", "on"),
    "deploy_timeout_s": ("5", 5.0),
    "model_store": ("s3://bucket/models", "s3://bucket/models"),
    "model_max_bytes": ("2048", 2048),
    "models_kept_loaded": ("0", 0),
    "record_sync": ("errors", "errors"),
    "webhook_allow": ("hooks.internal, 10.0.0.0/8", ("hooks.internal", "10.0.0.0/8")),
    "webhook_retry_s": ("1, 2.5", Pauses((1.0, 2.5))),
    "webhook_timeout_s": ("5", 5.0),
    "webhook_suspend_s": ("0", 0.0),
    "log_level": ("DEBUG", "debug"),
    "otel": ("on", "on"),
    "dashboard": ("/home/me/dashboard.toml", Path("/home/me/dashboard.toml")),
}

BAD = [
    ("port", "0", "a whole number from 1 to 65535"),
    ("port", "65536", "a whole number from 1 to 65535"),
    ("port", "80a", "a whole number from 1 to 65535"),
    ("port", "8080.5", "a whole number from 1 to 65535"),
    ("redis_timeout_s", "0", "a number above 0"),
    ("redis_timeout_s", "inf", "a number above 0"),
    ("workers", "-1", "a whole number from 0 to 256"),
    ("workers", "257", "a whole number from 0 to 256"),
    ("concurrency", "0", "a whole number from 1 to 10000"),
    ("mock_latency_ms", "150-50", "the range ends below its start"),
    ("mock_latency_ms", "soon", "expected milliseconds such as 50-150"),
    ("mock_latency_ms", "p50=80,p99=20", "p50 must be above 0, and p99 no less"),
    ("mock_latency_ms", "p50=0,p99=20", "p50 must be above 0, and p99 no less"),
    ("mock_failure_rate", "1.1", "a number from 0 to 1"),
    ("mock_crash_rate", "-1", "a number from 0 to 1"),
    ("mock_memory_mb", "0.5", "a whole number, 0 or more"),
    ("run_timeout_s", "nan", "a number above 0"),
    ("max_attempts", "0", "a whole number, 1 or more"),
    ("queue_limit", "-1", "a whole number, 0 or more"),
    ("shed_wait_s", "-1", "a number, 0 or more"),
    ("lease_s", "0.4", "a number, 0.5 or more"),
    ("grace_s", "-0.1", "a number, 0 or more"),
    ("retention_s", "0", "a whole number, 1 or more"),
    ("history_s", "-1", "a whole number, 0 or more"),
    ("idempotency_s", "0", "a whole number, 1 or more"),
    ("on_disconnect", "stop", "one of cancel, continue"),
    ("max_body_bytes", "1023", "a whole number, 1024 or more"),
    ("auth", "yes", "one of auto, off, required"),
    ("data_dir", "a\0b", "a path holds no NUL"),
    ("record_sync", "some", "one of all, errors, none"),
    ("webhook_allow", "10.0.0.0/33", "expected hosts, addresses or networks"),
    ("webhook_retry_s", "soon", "expected seconds such as 5,300,1800"),
    ("webhook_retry_s", "432001", "each no more than 432000"),
    ("webhook_timeout_s", "0", "a number above 0"),
    ("webhook_suspend_s", "-1", "a number, 0 or more"),
    ("log_level", "loud", "one of debug, error, info, warning"),
    ("otel", "yes", "one of auto, off, on"),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory without a zypher.toml."""
    return tmp_path


def variable(name: str) -> str:
    return f"ZYPHER_{name.upper()}"


def test_every_setting_is_described_and_tried_here() -> None:
    """A new setting needs a line for people and a value in this file."""
    assert list(DESCRIPTIONS) == list(Settings.__struct_fields__)
    assert list(GOOD) == list(Settings.__struct_fields__)


def test_without_anything_set_the_defaults_hold(here: Path) -> None:
    """No environment and no file is a complete configuration."""
    loaded = load_with_sources({}, here)
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


@pytest.mark.parametrize("name", GOOD)
def test_a_variable_sets_its_field(name: str, here: Path) -> None:
    """ZYPHER_PORT sets port, in its own type, and is named as the source."""
    text, value = GOOD[name]
    loaded = load_with_sources({variable(name): text}, here)
    assert getattr(loaded.settings, name) == value
    assert type(getattr(loaded.settings, name)) is type(value)
    assert loaded.sources[name] == variable(name)


@pytest.mark.parametrize("name", GOOD)
def test_space_around_a_value_does_not_matter(name: str, here: Path) -> None:
    """Files of variables often leave some."""
    text, value = GOOD[name]
    assert getattr(load_settings({variable(name): f"  {text}\n"}, here), name) == value


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_is_not_set(name: str, blank: str, here: Path) -> None:
    """`ZYPHER_REDIS_URL= just up` unsets, as compose files pass what is not set."""
    assert load_settings({variable(name): blank}, here) == Settings()


@pytest.mark.parametrize(("name", "text", "wanted"), BAD)
def test_a_wrong_value_is_refused_with_what_it_can_be(name: str, text: str, wanted: str, here: Path) -> None:
    """The sentence names the variable and what it may hold."""
    with pytest.raises(SettingError) as refused:
        load_settings({variable(name): text}, here)
    assert refused.value.message.startswith(f"{variable(name)}={text!r} cannot be used: ")
    assert wanted in refused.value.message
    assert refused.value.message.endswith((".", "?"))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("ZYPHER_PROT", "ZYPHER_PORT"),
        ("ZYPHER_REDIS", "ZYPHER_REDIS_URL"),
        ("ZYPHER_LEASE_SECONDS", "ZYPHER_LEASE_S"),
        ("ZYPHER_Port", "ZYPHER_PORT"),
        ("ZYPHER_WORKER", "ZYPHER_WORKERS"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(wrong: str, near: str, here: Path) -> None:
    """A typing error must not pass as a default."""
    with pytest.raises(SettingError, match=rf"^{wrong} is not a setting\. Did you mean {near}\?$"):
        load_settings({wrong: "1"}, here)


def test_an_unknown_variable_far_from_all_points_to_the_list(here: Path) -> None:
    """Where no name is near, the sentence says where they all are."""
    with pytest.raises(SettingError, match=r"^ZYPHER_QQQ is not a setting\. `zypher doctor` lists them all\.$"):
        load_settings({"ZYPHER_QQQ": "1"}, here)


def test_variables_of_others_are_none_of_ours(here: Path) -> None:
    """Only ZYPHER_ is looked at."""
    assert load_settings({"PORT": "x", "ZYPHERX": "y", "MY_ZYPHER_PORT": "z", "zypher_port": "w"}, here) == Settings()


def test_a_near_choice_is_suggested(here: Path) -> None:
    """`warn` is what other programs call it."""
    with pytest.raises(SettingError, match="Did you mean 'warning'"):
        load_settings({"ZYPHER_LOG_LEVEL": "warn"}, here)


@pytest.mark.parametrize("url", ["redis://cache", "rediss://user:word@cache:6380/1", "unix:///run/valkey.sock?db=1"])
def test_every_kind_of_redis_url_is_taken_as_it_is(url: str, here: Path) -> None:
    """redis-py reads the rest of it."""
    assert load_settings({"ZYPHER_REDIS_URL": url}, here).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@cache:6379",
        "cache:6379/hunter2",
        "hunter2",
        "redis://:hunter2@",
        "redis://:hunter2@cache:port",
        "redis://:hunter2@cache:70000",
        "redis://[hunter2",
        "unix://",
    ],
)
def test_a_wrong_redis_url_is_refused_without_repeating_it(url: str, here: Path) -> None:
    """It may hold a password, and what is refused ends in logs."""
    with pytest.raises(SettingError) as refused:
        load_settings({"ZYPHER_REDIS_URL": url}, here)
    assert refused.value.message.startswith("ZYPHER_REDIS_URL cannot be used: it must be like redis://")
    assert "hunter2" not in refused.value.message


def test_the_file_sets_and_the_environment_wins(here: Path) -> None:
    """zypher.toml holds the same names in lower case; each source is told."""
    (here / "zypher.toml").write_text('port = 9000\nworkers = 4\nmodels = ["shop:Price"]\nmock_latency_ms = 0\n')
    loaded = load_with_sources({"ZYPHER_PORT": "9001"}, here)
    assert (loaded.settings.port, loaded.settings.workers) == (9001, 4)
    assert loaded.settings.models == ("shop:Price",)
    assert loaded.settings.mock_latency_ms == LatencyRange(0, 0)
    assert loaded.sources["port"] == "ZYPHER_PORT"
    assert loaded.sources["workers"] == "zypher.toml"
    assert loaded.sources["host"] == "default"


def test_a_blank_variable_leaves_what_the_file_says(here: Path) -> None:
    """Blank is "not set", not "the default"."""
    (here / "zypher.toml").write_text('redis_url = "redis://cache"\n')
    assert load_settings({"ZYPHER_REDIS_URL": ""}, here).redis_url == "redis://cache"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "'prot' in zypher.toml is not a setting. Did you mean port?"),
        ("ZYPHER_PORT = 1", "'ZYPHER_PORT' in zypher.toml is not a setting. Did you mean port?"),
        ("[server]\nport = 1", "'server' in zypher.toml is not a setting. `zypher doctor` lists them all."),
        ('port = "80"', "port in zypher.toml='80' cannot be used: it must be a whole number from 1 to 65535."),
        ("port = true", "port in zypher.toml=True cannot be used: it must be a whole number from 1 to 65535."),
        ("grace_s = inf", "grace_s in zypher.toml=inf cannot be used: it must be a number, 0 or more."),
        ("host = 1", "host in zypher.toml=1 cannot be used: expected `str`, got `int`."),
        ("data_dir = 1", "data_dir in zypher.toml=1 cannot be used: expected `str`, got `int`."),
        ("models = [1]", "models in zypher.toml=[1] cannot be used: expected `str`, got `int` - at `$[0]`."),
    ],
)
def test_a_wrong_line_of_the_file_is_refused(text: str, message: str, here: Path) -> None:
    """In the file a number is a number; nothing is guessed."""
    (here / "zypher.toml").write_text(text)
    with pytest.raises(SettingError) as refused:
        load_settings({}, here)
    assert refused.value.message == message


def test_a_secret_of_the_wrong_type_in_the_file_is_not_repeated(here: Path) -> None:
    """A list around the URL is a slip, and the password in it stays untold."""
    (here / "zypher.toml").write_text('redis_url = ["redis://:hunter2@cache"]\n')
    with pytest.raises(SettingError) as refused:
        load_settings({}, here)
    assert refused.value.message.startswith("redis_url in zypher.toml cannot be used: ")
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(content: bytes, here: Path) -> None:
    """One sentence, not a traceback."""
    (here / "zypher.toml").write_bytes(content)
    with pytest.raises(SettingError, match=r"^zypher\.toml is not valid TOML: "):
        load_settings({}, here)


def test_the_home_directory_is_understood(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of variables is not a shell, so `~` arrives as it was written."""
    monkeypatch.setenv("HOME", "/home/me")
    assert load_settings({"ZYPHER_DATA_DIR": "~/zypher"}, here).data_dir == Path("/home/me/zypher")
    with pytest.raises(SettingError, match="that user has no home directory"):
        load_settings({"ZYPHER_DATA_DIR": "~no-such-user-at-all/zypher"}, here)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("0", 0, 0), ("20", 20, 20), ("50-150", 50, 150), (" 0.5 - 1.5 ", 0.5, 1.5), ("7-7", 7, 7)],
)
def test_a_latency_is_a_range_or_a_number(text: str, low: float, high: float) -> None:
    """And it is written back as it is read."""
    latency = parse_latency(text)
    assert latency == LatencyRange(low, high)
    assert parse_latency(str(latency)) == latency


@pytest.mark.parametrize("text", ["p50=80,p99=400", " p50 = 80 , p99 = 400.0 "])
def test_a_latency_may_have_a_tail(text: str) -> None:
    """Half of them are no longer than the one, 99 of 100 no longer than the other."""
    latency = parse_latency(text)
    assert latency == LatencyTail(80, 400)
    assert parse_latency(str(latency)) == latency


@pytest.mark.parametrize("text", ["", "-5", "5-", "1e3", "5 ms", "5--6", "a-b", "1-2-3", "p50=80", "p99=400,p50=80"])
def test_anything_else_is_not_a_latency(text: str) -> None:
    """Units and signs are not guessed at."""
    with pytest.raises(ValueError, match="expected milliseconds"):
        parse_latency(text)


def test_settings_can_be_written_to_the_file_and_read_again(here: Path) -> None:
    """Every default, as TOML, is a valid file."""
    defaults = {field: getattr(Settings(), field) for field in Settings.__struct_fields__}
    written = {
        field: str(value) if isinstance(value, (Path, LatencyRange, Pauses)) else value
        for field, value in defaults.items()
    }
    lines = [
        f"{field} = {msgspec.json.encode(value).decode()}" for field, value in written.items() if value is not None
    ]
    (here / "zypher.toml").write_text("\n".join(lines))
    assert load_settings({}, here) == Settings()
