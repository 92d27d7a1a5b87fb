"""Packages that offer models, installed for a test."""

import sys
from pathlib import Path

import pytest

MODEL = """\
import msgspec
from zypher_jobs.models import Model

class Text(msgspec.Struct):
    text: str

class Echo(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        return input

class Later(Echo):
    name = "echo"
    version = "2"

class Untyped(Model[Text, Text]):
    def predict(self, input):
        return input
"""


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, entry_points: str) -> None:
    """As pip would: the package shop 1.2 with its module, on the path."""
    site = directory / "site-packages"
    information = site / "shop-1.2.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text(f"[zypher.models]\n{entry_points}\n")
    (site / "shop_models.py").write_text(MODEL)
    (site / "shop_broken.py").write_text("import sys\nsys.exit('no licence')\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    for name in ("shop_models", "shop_broken"):  # of an earlier test
        sys.modules.pop(name, None)
