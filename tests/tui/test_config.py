"""The dashboard's file: where it is, and what is said of a mistake in it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zypher_tui.app import Dashboard
from zypher_tui.config import WrongConfig, config_path, find_config, keep_theme, load_config


def written(directory: Path, text: str) -> Path:
    """A file with that text."""
    path = directory / "dashboard.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def says(*parts: str) -> Generator[None]:
    """It is refused, and the message has all of these."""
    with pytest.raises(WrongConfig) as said:
        yield
    assert [part for part in parts if part not in said.value.message] == []


def test_the_file_is_where_others_are() -> None:
    """The XDG directory; one that is not absolute does not count, as the specification says."""
    assert config_path({"XDG_CONFIG_HOME": "/etc/me"}) == Path("/etc/me/zypher/dashboard.toml")
    assert config_path({"XDG_CONFIG_HOME": "me"}) == Path.home() / ".config" / "zypher" / "dashboard.toml"


def test_no_file_is_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But one that was asked for must be there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find_config(None).theme is None
    with says("cannot be read", "No such file"):
        find_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('theme = "drak"', ("line 1", "'drak' is not a theme. Did you mean dark?")),
        ('\n\ntheme = "xyz"', ("line 3", "There are: dark, light")),
        ("theme = 3", ("line 1", "3 is not a theme")),
        ("theme = [1]", ("line 1", "[1] is not a theme")),
        ('# theme = "a"\nthem = 1', ("line 2", "them is not an option. Did you mean theme?")),
        ("fps = 9", ("line 1", "fps is a number from 0.5 to 4, not 9")),
        ('fps = "2"', ("line 1", "not '2'")),
        ('columns = ["id", "finshed"]', ("line 1", "'finshed' is not a column. Did you mean finished?")),
        ('\ncolumns = ["id", "id"]', ("line 2", "id stands there 2 times")),
        ("columns = []", ("line 1", "takes a list of names")),
        ("columns = [1]", ("line 1", "takes a list of names")),
        ('columns = "id"', ("line 1", "takes a list of names")),
        ("theme = ", ("not valid TOML", "at ")),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    """And with the way out."""
    with says(str(tmp_path), *parts):
        load_config(written(tmp_path, text))


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    """With a sentence."""
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with says("not text in UTF-8"):
        load_config(tmp_path / "x.toml")


def test_keeping_a_theme_leaves_a_link_a_link(tmp_path: Path) -> None:
    """Many keep such files elsewhere and link to them."""
    kept = written(tmp_path, '[other]\ntheme = "x"\n')
    link = tmp_path / "link.toml"
    link.symlink_to(kept)
    keep_theme(link, "mono")
    assert link.is_symlink()
    assert kept.read_text() == 'theme = "mono"\n[other]\ntheme = "x"\n'
    assert {each.name for each in tmp_path.iterdir()} == {"dashboard.toml", "link.toml"}


def test_a_slow_link_gets_fewer_frames(tmp_path: Path) -> None:
    """As many in a second as the file says; else the usual ones."""
    config = load_config(written(tmp_path, "fps = 0.5"))
    assert Dashboard({}, api_url="http://x", config=config).choices.frame_s == 2
    assert Dashboard({}, api_url="http://x").choices.frame_s == 0.5
