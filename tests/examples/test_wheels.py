"""Real models out of Python packages, each behind a class of its own, answer right on real input: now and later."""

import base64
import json
import re
import sys
from pathlib import Path
from platform import machine

import pytest

from tests.examples.example import Example, later, near, now

ROOT = Path(__file__).parents[2]

TEXTS = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве и правах.",  # noqa: RUF001
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",  # noqa: RUF001
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
}
"""The first article of the Universal Declaration of Human Rights."""

FILES = {
    "python": ROOT / "zypher_jobs" / "errors.py",
    "lua": ROOT / "zypher_jobs" / "queue" / "scripts" / "claim.lua",
    "markdown": ROOT / "README.md",
    "png": ROOT / "docs" / "pictures" / "dashboard-80x24.png",
    "elf" if sys.platform == "linux" else "macho": Path(sys.executable).resolve(),
}
"""Real files that are here anyway; of the last one, its beginning."""


async def test_the_language_of_a_text(tmp_path: Path) -> None:
    """Eight languages, in five scripts."""
    example = Example("language")
    async with example.served(tmp_path) as client:
        for asked in example.asked():
            assert await now(client, asked.path, asked.body) == near(asked.answer)
            assert await later(client, asked.path, asked.body) == near(asked.answer)
        await example.check_programs(str(client.base_url))
        for language, text in TEXTS.items():
            assert (await now(client, "/models/languages/predict", {"text": text}))["language"] == language
            assert (await later(client, "/models/languages/predict", {"text": text}))["language"] == language
        refused = await client.post("/models/languages/predict", json={"text": "  "})
        assert (refused.status_code, refused.json()["detail"]) == (422, "Field 'text' must not be blank.")


@pytest.mark.skipif(sys.platform == "darwin" and machine() == "x86_64", reason="magika has no runtime on Intel Macs")
async def test_the_kind_of_a_file(tmp_path: Path) -> None:
    """Text and binary files, as base64 in JSON, and as bytes through the queue."""
    example = Example("file_type")
    path = "/models/file-types/predict"
    async with example.served(tmp_path) as client:
        (asked,) = example.asked()
        assert await now(client, asked.path, asked.body) == near(asked.answer)
        assert await later(client, asked.path, asked.body) == near(asked.answer)
        await example.check_programs(str(client.base_url))
        (name, said) = re.findall(
            r"^base64 -w0 (\S+) \|.+\n# (.+)$",
            (example.directory / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )[0]
        whole = {"content": base64.b64encode((example.directory / name).read_bytes()).decode()}
        assert await now(client, path, whole) == near(json.loads(said))
        for label, file in FILES.items():
            body = {"content": base64.b64encode(file.read_bytes()[:100_000]).decode()}
            found = await now(client, path, body)
            assert found["label"] == label
            assert await later(client, path, body) == found
        refused = await client.post(path, json={"content": "no base64!"})
        assert refused.status_code == 422
        assert "Field 'content'" in refused.json()["detail"]
