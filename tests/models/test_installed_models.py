"""Models of installed packages, by entry points: served beside the rest, and no reason not to start."""

import logging
from pathlib import Path

import pytest

from tests.models.packages import MODEL, install
from zypher_jobs.models import ModelRegistry
from zypher_jobs.settings import Settings


def registry(*models: str) -> ModelRegistry:
    return ModelRegistry.from_settings(Settings(models=models))


async def test_an_installed_model_is_served(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any setting, under the name that its class gives it."""
    install(project, monkeypatch, "shop-echo = shop_models:Echo")
    served = registry()
    assert served.names() == ["mock", "digits", "echo"]
    await served.load_all()
    model = served.get("echo")
    assert model.encode(await model.run(model.decode(b'{"text": "hi"}'), timeout_s=10)) == b'{"text":"hi"}'
    await served.close()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (
            "shop_modles:Echo",
            "here or installed. Start zypher in the directory that holds it, or install it.",
        ),
        ("shop_models:Ecko", "module shop_models has no Ecko. Did you mean shop_models:Echo?"),
        ("shop_models", "'shop_models' must be module:Class, such as word_count:WordCount."),
        ("shop_broken:Echo", "importing shop_broken failed: SystemExit: no licence (site-packages/shop_broken.py:2)."),
    ],
)
async def test_a_broken_one_is_listed_with_the_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str, error: str
) -> None:
    """Under the entry point's name, not ready; the error names entry point and package, and the rest is served."""
    install(project, monkeypatch, f"Shop.Echo = {value}")
    served = registry()
    await served.load_all()
    broken = served.get("shop.echo").info
    assert (broken.ready, served.get("mock").ready) == (False, True)
    assert broken.error is not None
    assert broken.error.startswith("Entry point Shop.Echo of shop 1.2: ")
    assert broken.error.replace(f"{project}/", "").endswith(error)
    await served.close()


async def test_a_class_that_does_not_fit_is_listed_with_its_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sentence as for a model of the settings, where it ends the start."""
    install(project, monkeypatch, "untyped = shop_models:Untyped")
    served = registry()
    await served.load_all()
    assert (served.get("untyped").error or "").startswith(
        f"{project}/site-packages/shop_models.py:16: model Untyped: the annotations of predict do not fit its types; "
    )
    await served.close()


def test_what_is_configured_takes_the_place_of_what_is_installed(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the same name and version, also of a built-in one; the log tells so."""
    install(project, monkeypatch, "a = shop_models:Echo\nb = shop_models:Echo\nmock = nowhere:Mock")
    (project / "mine.py").write_text(MODEL)
    caplog.set_level(logging.WARNING)
    served = registry("mine:Echo")
    assert served.names() == ["mock", "digits", "echo"]
    assert served.get("echo").input_type.__module__ == "mine"
    assert served.get("mock").definition.description.startswith("Hashes")
    assert [record.getMessage() for record in caplog.records] == ["the place of an installed model is taken"] * 3


def test_a_configured_version_is_live_beside_an_installed_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are served; who names no version gets the configured one."""
    install(project, monkeypatch, "echo = shop_models:Later")
    served = registry("shop_models:Echo")
    assert (served.get("echo").version, served.get("echo", "2").version) == ("1", "2")
