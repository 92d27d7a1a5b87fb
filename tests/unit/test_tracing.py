"""When there is a tracer, and what a start says where there cannot be one."""

import msgspec
import pytest

from zypher_jobs.errors import SettingError
from zypher_jobs.settings import Settings
from zypher_jobs.tracing import ENDPOINTS, PROTOCOLS, is_wanted, tracer_of


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says."""
    for name in (*ENDPOINTS, *PROTOCOLS):
        monkeypatch.delenv(name, raising=False)


def test_nobody_traces_unless_it_is_asked_for() -> None:
    """By default there is no tracer."""
    assert tracer_of(Settings(), part="api", process_id="a") is None


def test_an_endpoint_asks_for_it_and_the_setting_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every program with OpenTelemetry is told."""
    assert is_wanted(Settings(otel="on"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert is_wanted(Settings())
    assert not is_wanted(msgspec.structs.replace(Settings(), otel="off"))


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to do without."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    def not_found(_: str) -> None:
        """Nothing is installed."""

    monkeypatch.setattr("zypher_jobs.tracing.find_spec", not_found)
    with pytest.raises(SettingError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT asks .* pip install 'zypher\[otel\]'") as said:
        is_wanted(Settings())
    assert "ZYPHER_OTEL=off" in said.value.message
