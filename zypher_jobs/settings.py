"""Settings: one frozen Struct, read once in each entry point from ``ZYPHER_*`` and an optional ``zypher.toml``.

The environment wins over the file, the file over the defaults. A name that is not a setting, or a value that is not one
it can have, raises ``SettingError`` with the nearest name: a typing error must never pass as a default.
"""

import difflib
import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import msgspec.inspect
from msgspec import Meta

from zypher_jobs.errors import SettingError

PREFIX = "ZYPHER_"
CONFIG_FILE = "zypher.toml"
LISTS = ("models", "webhook_allow")
"""Settings that the environment holds as comma separated."""
MODEL_TABLES = "model"
"""What ``CONFIG_FILE`` holds beside settings: a table ``[model.NAME]`` for each model that is no class."""
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
MOST_API_PROCESSES = 64
MOST_PAUSE_S = 5 * 86_400
"""A delivery is known for a week."""

NonNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class LatencyRange(msgspec.Struct, frozen=True, tag=True):
    """Simulated latencies in ms, each as likely as the next; written ``50-150``, ``20`` or ``0``."""

    low_ms: float
    high_ms: float

    def __str__(self) -> str:
        return f"{self.low_ms:g}" if self.low_ms == self.high_ms else f"{self.low_ms:g}-{self.high_ms:g}"


class LatencyTail(msgspec.Struct, frozen=True, tag=True):
    """Simulated latencies in ms with a long tail, as real ones have it (log-normal); written ``p50=80,p99=400``."""

    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"p50={self.p50_ms:g},p99={self.p99_ms:g}"


Latency = LatencyRange | LatencyTail


def parse_latency(text: str) -> Latency:
    """Read ``50-150``, ``20`` or ``p50=80,p99=400``; raises ``ValueError`` for anything else."""
    number = r"(\d+(?:\.\d+)?)"
    if match := re.fullmatch(rf"p50\s*=\s*{number}\s*,\s*p99\s*=\s*{number}", text.strip()):
        p50, p99 = float(match[1]), float(match[2])
        if not 0 < p50 <= p99:
            raise ValueError(f"p50 must be above 0, and p99 no less: {text.strip()}")
        return LatencyTail(p50, p99)
    match = re.fullmatch(rf"{number}\s*(?:-\s*{number})?", text.strip())
    if match is None:
        raise ValueError("expected milliseconds such as 50-150, 20, 0, or p50=80,p99=400")
    low = float(match[1])
    high = float(match[2]) if match[2] else low
    if high < low:
        raise ValueError(f"the range ends below its start: {text.strip()}")
    return LatencyRange(low, high)


def parse_url(text: str) -> str:
    """An http or https URL without its last slash; raises ``ValueError`` for anything else."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://127.0.0.1:8080")
    return text.strip().rstrip("/")


class Pauses(msgspec.Struct, frozen=True):
    """Pauses in seconds; written ``5,300,1800``."""

    each_s: tuple[float, ...]

    def __str__(self) -> str:
        return ",".join(f"{pause_s:.10g}" for pause_s in self.each_s)


def parse_pauses(text: str) -> Pauses:
    """Read ``5,300,1800``; raises ``ValueError`` for anything else."""
    try:
        each_s = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        each_s = (math.nan,)
    if not all(0 <= pause_s <= MOST_PAUSE_S for pause_s in each_s):
        raise ValueError(f"expected seconds such as 5,300,1800, each no more than {MOST_PAUSE_S}")
    return Pauses(each_s)


def require_place(text: str) -> str:
    """A host name, an address or a network, as it is; raises ``ValueError``."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text):
            raise ValueError("expected hosts, addresses or networks such as hooks.internal,10.0.0.0/8") from None
    return text


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set; ``ZYPHER_HOST`` sets ``host``, and so on. ``describe()`` says what each is for."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8080
    api_processes: Annotated[int, Meta(ge=1, le=MOST_API_PROCESSES)] = 1
    redis_url: str | None = None
    redis_timeout_s: Positive = 1.5
    data_dir: Path = Path(".zypher")
    workers: Annotated[int, Meta(ge=0, le=256)] = 2
    concurrency: Annotated[int, Meta(ge=1, le=10_000)] = 100
    models: tuple[str, ...] = ()
    default_model: str = "mock"
    mock_latency_ms: Latency = LatencyRange(50, 150)
    mock_failure_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0
    mock_crash_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0
    mock_memory_mb: Annotated[int, Meta(ge=0)] = 0
    run_timeout_s: Positive = 300
    max_attempts: Annotated[int, Meta(ge=1)] = 5
    queue_limit: Annotated[int, Meta(ge=0)] = 1_000_000
    shed_wait_s: NonNegative = 30
    lease_s: Annotated[float, Meta(ge=0.5)] = 5
    grace_s: NonNegative = 10
    retention_s: Annotated[int, Meta(ge=1)] = 86_400
    history_s: Annotated[int, Meta(ge=0)] = 43_200
    idempotency_s: Annotated[int, Meta(ge=1)] = 86_400
    on_disconnect: Literal["cancel", "continue"] = "cancel"
    max_body_bytes: Annotated[int, Meta(ge=1024)] = 1_048_576
    auth: Literal["auto", "required", "off"] = "auto"
    url: str | None = None
    api_key: str | None = None
    deploy: Literal["local", "on", "off"] = "local"
    deploy_timeout_s: Positive = 60
    model_store: str | None = None
    model_max_bytes: Annotated[int, Meta(ge=1024)] = 1_073_741_824
    models_kept_loaded: Annotated[int, Meta(ge=0)] = 2
    record_sync: Literal["all", "errors", "none"] = "all"
    webhook_allow: tuple[str, ...] = ()
    webhook_retry_s: Pauses = Pauses((5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
    webhook_timeout_s: Positive = 15
    webhook_suspend_s: NonNegative = 259_200
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otel: Literal["auto", "on", "off"] = "auto"
    dashboard: Path | None = None


DESCRIPTIONS: dict[str, str] = {
    "host": "Address the API listens on.",
    "port": "Port the API listens on.",
    "api_processes": "API processes that `zypher up` and `zypher api` start; they share the port.",
    "redis_url": "Redis to share (redis://, rediss://, redis+sentinel://, unix://); unset: an embedded server.",
    "redis_timeout_s": "Longest wait for one answer of Redis, in seconds; past it a caller gets 503.",
    "data_dir": "Where the embedded server keeps queued predictions, and logs go.",
    "workers": "Worker processes that `zypher up` starts.",
    "concurrency": "Predictions that one worker runs at once.",
    "models": "Models to serve beside the built-in ones: module:Class or an .onnx file, comma separated.",
    "default_model": "The model behind POST /predict.",
    "mock_latency_ms": "Simulated latency of the mock model in ms: 50-150, 20, 0, or with a tail: p50=80,p99=400.",
    "mock_failure_rate": "Share of the mock model's predictions that fail, 0 to 1.",
    "mock_crash_rate": "Share of its queued predictions that end their worker process, as a segfault would, 0 to 1.",
    "mock_memory_mb": "Memory that each running prediction of the mock model holds, in MiB.",
    "run_timeout_s": "Longest run of one attempt, in seconds.",
    "max_attempts": "Attempts a queued prediction gets when workers die under it.",
    "queue_limit": "Predictions that may wait in one queue; more are refused (0: no limit).",
    "shed_wait_s": "Longest wait of a synchronous prediction for its model, in seconds; more are refused (0: none is).",
    "lease_s": "How long a worker that went silent keeps its predictions, in seconds.",
    "grace_s": "How long running predictions may go on when the process drains, in seconds.",
    "retention_s": "How long records and results are kept, in seconds.",
    "history_s": "How far back the history of the figures reaches, in seconds (0: none is kept).",
    "idempotency_s": "How long the answer to a request with an Idempotency-Key is given again, in seconds.",
    "on_disconnect": "What becomes of a synchronous prediction whose caller goes away: cancel or continue.",
    "max_body_bytes": "Largest request body, in bytes.",
    "auth": "Who may call: auto (who has a key; while there are none, this machine), required, or off (anybody).",
    "url": "The API that the dashboard, `zypher top`, `zypher deploy` and the Python client call; unset: the one here.",
    "api_key": "The key that they send to it.",
    "deploy": "Whether models may be deployed over HTTP: on, off, or local (only while the API listens on loopback).",
    "deploy_timeout_s": "How long a switch waits until every process has the version ready, in seconds.",
    "model_store": "Where deployed models are kept: a directory, or s3://bucket/prefix; unset: models in the data dir.",
    "model_max_bytes": "Largest file of a deployed model, in bytes.",
    "models_kept_loaded": "Versions without traffic that stay in memory; the least recently used leave it.",
    "record_sync": "Which synchronous predictions are recorded: all, errors or none.",
    "webhook_allow": "Webhooks may go to these hosts, addresses or networks (CIDR) though not public, comma separated.",
    "webhook_retry_s": "Pauses between the attempts to deliver a webhook, in seconds, comma separated.",
    "webhook_timeout_s": "Longest wait for a webhook's receiver, in seconds.",
    "webhook_suspend_s": "A registered webhook is suspended after so many seconds of nothing but failures; 0: never.",
    "log_level": "debug, info, warning or error.",
    "otel": "Send traces with OpenTelemetry: on, off, or auto (where OTEL_EXPORTER_OTLP_ENDPOINT is set).",
    "dashboard": "Configuration file of the dashboard; unset: ~/.config/zypher/dashboard.toml, if it is there.",
}
"""What ``zypher doctor`` and the README's table say of each setting."""


class LoadedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, and for each field where its value came from."""

    settings: Settings
    sources: dict[str, str]
    """Field → ``"ZYPHER_PORT"``, ``"zypher.toml"`` or ``"default"``."""


def load_settings(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """The settings of this process; see ``load_with_sources``."""
    return load_with_sources(environ, directory).settings


def load_with_sources(environ: Mapping[str, str] | None = None, directory: Path | None = None) -> LoadedSettings:
    """Read the environment (default ``os.environ``) and ``zypher.toml`` in ``directory`` (default: here).

    Raises ``SettingError`` naming the setting and the way out.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.__struct_fields__, "default")
    for name, value in read_config(directory or Path.cwd()).items():
        if name == MODEL_TABLES:
            continue  # zypher_jobs.models reads them
        _require_known(name, shown=f"{name!r} in {CONFIG_FILE}", spelling=str)
        raw[name], sources[name] = value, CONFIG_FILE
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        _require_known(variable, shown=variable, spelling=_as_variable)
        if not text.strip():
            continue  # `ZYPHER_REDIS_URL= just up` means "unset", as compose files pass it
        name = variable.removeprefix(PREFIX).lower()
        raw[name], sources[name] = text.strip(), variable
    values = {name: _convert(name, value, source=sources[name]) for name, value in raw.items()}
    return LoadedSettings(settings=Settings(**values), sources=sources)


def read_config(directory: Path) -> dict[str, Any]:
    """``zypher.toml`` in ``directory`` as it is, empty where there is none; raises ``SettingError``."""
    path = directory / CONFIG_FILE
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path.name} is not valid TOML: {error}.") from error
    except OSError as error:
        raise SettingError(f"{path.name} cannot be read: {error.strerror}.") from error


def _require_known(name: str, *, shown: str, spelling: Callable[[str], str]) -> None:
    """Refuse a name that is not how ``spelling`` writes one of the fields."""
    fields = Settings.__struct_fields__
    if name in map(spelling, fields):
        return
    near = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), fields, n=1, cutoff=0.6)
    hint = f"Did you mean {spelling(near[0])}?" if near else "`zypher doctor` lists them all."
    raise SettingError(f"{shown} is not a setting. {hint}")


def _as_variable(field: str) -> str:
    return PREFIX + field.upper()


_WRITTEN: dict[str, Callable[[str], Any]] = {
    "mock_latency_ms": parse_latency,
    "webhook_retry_s": parse_pauses,
    "url": parse_url,
}
"""Settings with a way of their own to be written."""


def _convert(name: str, value: Any, *, source: str) -> Any:
    given = value
    shown = source if source != CONFIG_FILE else f"{name} in {CONFIG_FILE}"
    if name in _SECRET:
        return _SECRET[name](value, shown)
    expected = next(f.type for f in msgspec.structs.fields(Settings) if f.name == name)
    try:
        if name in _WRITTEN:
            return _WRITTEN[name](str(value))
        if name in LISTS and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if name == "webhook_allow":
            value = [require_place(each) for each in msgspec.convert(value, list[str])]
        if name == "models" and isinstance(value, dict):
            raise ValueError("it is a list of classes; describe a model in a table such as [model.iris]")
        if name in ("data_dir", "dashboard"):
            return _path(value)
        if isinstance(value, str) and isinstance(msgspec.inspect.type_info(expected), msgspec.inspect.LiteralType):
            value = value.lower()
        # what the environment holds is text: numbers are read from it, in the file they must be numbers
        converted = msgspec.convert(value, expected, strict=source == CONFIG_FILE)
    except (msgspec.ValidationError, ValueError) as error:
        reason = _wanted(expected) or str(error)[:1].lower() + str(error)[1:]
        raise SettingError(f"{shown}={given!r} cannot be used: {reason}.{_hint(expected, value)}") from error
    if isinstance(converted, float) and not math.isfinite(converted):
        raise SettingError(f"{shown}={value!r} cannot be used: {_wanted(expected)}.")
    return converted


def usable_redis_url(value: Any, shown: str) -> str:
    """The URL as it is; raises ``SettingError``. It may hold a password, so no message repeats any of it."""
    try:
        usable = isinstance(value, str) and _leads_somewhere(value)
    except ValueError:
        usable = False
    if not usable:
        raise SettingError(
            f"{shown} cannot be used: it must be like redis://host:6379/0, rediss://host:6379/0, "
            f"redis+sentinel://host:26379,host2:26379/service/0 or unix:///path/to.sock."
        )
    return str(value)


def _api_key(value: Any, shown: str) -> str:
    """The key as it is; no message repeats any of it."""
    if not (isinstance(value, str) and re.fullmatch(r"zk_[a-z0-9]+_[0-9a-f]+", value)):
        raise SettingError(
            f"{shown} cannot be used: it must be a whole key such as zk_…, as `zypher keys create` prints it."
        )
    return value


_SECRET: dict[str, Callable[[Any, str], str]] = {"redis_url": usable_redis_url, "api_key": _api_key}
"""Settings whose values no message repeats."""


def _leads_somewhere(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return bool(parts.path)
    places = [parts.netloc]
    if parts.scheme.endswith("+sentinel"):
        if not parts.path.strip("/"):
            return False
        places = parts.netloc.rpartition("@")[2].split(",")
    nodes = [urlsplit(f"//{place}") for place in places]
    return parts.scheme in REDIS_SCHEMES and all(
        node.hostname and (node.port is None or node.port > 0) for node in nodes
    )


def _path(value: Any) -> Path:
    text = msgspec.convert(value, str)
    if "\0" in text:
        raise ValueError("a path holds no NUL")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("that user has no home directory") from error


def _wanted(expected: Any) -> str | None:
    """What a setting of this type can be, as the end of a sentence; ``None`` where the error itself says it better."""
    match msgspec.inspect.type_info(expected):
        case msgspec.inspect.LiteralType(values):
            return "it must be one of " + ", ".join(str(value) for value in values)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType() as number:
            noun = "a whole number" if isinstance(number, msgspec.inspect.IntType) else "a number"
            if number.ge is not None and number.le is not None:
                return f"it must be {noun} from {number.ge:g} to {number.le:g}"
            if number.gt is not None:
                return f"it must be {noun} above {number.gt:g}"
            return f"it must be {noun}" if number.ge is None else f"it must be {noun}, {number.ge:g} or more"
        case _:
            return None


def _hint(expected: Any, value: Any) -> str:
    match msgspec.inspect.type_info(expected):
        case msgspec.inspect.LiteralType(values):
            near = difflib.get_close_matches(str(value), [str(each) for each in values], n=1)
            return f" Did you mean {near[0]!r}?" if near else ""
        case _:
            return ""
