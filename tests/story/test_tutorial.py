"""The tutorial of the dashboard is what a person sees who follows it."""

from pathlib import Path

from tests.story.walk import PAGE, walk, walking


async def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    """Each key leads where the text says; the page says nothing else than this walk."""
    async with walking(tmp_path) as path:
        await walk(path)
    page = PAGE.read_text(encoding="utf-8")
    said = [each for each in path.page if not each.startswith("```text")]
    assert [each for each in said if each not in page] == []
    assert page.count("```text") == len(path.page) - len(said)
