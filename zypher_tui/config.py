"""The file with what a person chose for the dashboard: ``dashboard.toml`` in the directory for configuration.

Where it is: ``--config``, or ``ZYPHER_DASHBOARD``, or ``$XDG_CONFIG_HOME/zypher/``, by default ``~/.config/zypher/``.
"""

import contextlib
import difflib
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from zypher_jobs.errors import SettingError
from zypher_tui.core.choosing import COLUMNS
from zypher_tui.themes import THEMES

FILE = "dashboard.toml"
SLOWEST_FPS = 0.5
FASTEST_FPS = 4.0
_TOP = ("theme", "fps", "columns", "keys")


class WrongConfig(SettingError):
    """Something in the file cannot be used; the message is a sentence with the line and the way out."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chose; ``None``: nothing."""

    path: Path
    theme: str | None = None
    fps: float | None = None
    """Frames in a second at most."""
    columns: tuple[str, ...] | None = None
    """Of the list of predictions, in their order."""
    keys: Mapping[str, tuple[str, ...]] = {}
    """Keys by the names of their actions."""
    lines: tuple[str, ...] = ()
    """The file as it is, for messages."""

    def where(self, name: str, *, table: str = "") -> str:
        """``/home/me/.config/zypher/dashboard.toml, line 3``."""
        return f"{self.path}, line {_line_of(self.lines, name, table)}"


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is, if there is one."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.config").expanduser()) / "zypher" / FILE


def find_config(path: Path | None) -> Config:
    """Read the file of that path, which must be there, or the usual one. Raises ``WrongConfig``."""
    return load_config(path, must_exist=True) if path else load_config(config_path())


def load_config(path: Path, *, must_exist: bool = False) -> Config:
    """Read the file; no file is no choice, unless it ``must_exist``. Raises ``WrongConfig``."""
    if not path.exists() and not must_exist:
        return Config(path=path)
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongConfig(f"{path} is not valid TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise WrongConfig(f"{path} is not text in UTF-8.") from error
    except OSError as error:
        raise WrongConfig(f"{path} cannot be read: {error.strerror or error}.") from error
    config = Config(path=path, lines=tuple(text.splitlines()))
    for name in found:
        if name not in _TOP:
            raise WrongConfig(f"{config.where(name)}: {name} is not an option. {did_you_mean(name, _TOP)}")
    keys = _keys(config, found.get("keys", {}))
    return msgspec.structs.replace(
        config, theme=_theme(config, found), fps=_fps(config, found), columns=_columns(config, found), keys=keys
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of what there is, or all of it."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."


def keep_theme(path: Path, name: str) -> None:
    """Write the theme into the file and leave the rest of it as it is. Raises ``OSError``."""
    _keep(path, "theme", f'"{name}"')


def keep_columns(path: Path, names: Iterable[str]) -> None:
    """The same with the columns of the list of predictions."""
    _keep(path, "columns", "[" + ", ".join(f'"{name}"' for name in names) + "]")


def _keep(path: Path, option: str, value: str) -> None:
    path = path.resolve()  # a link to a file kept elsewhere stays one
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    chosen = f"{option} = {value}"
    at = _line_of(lines, option, "", absent=0)
    if at:
        lines[at - 1 : at - 1 + _lines_taken(lines[at - 1 :])] = [chosen]
    else:
        lines.insert(0, chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        Path(written).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(written).unlink()
        raise


def _theme(config: Config, found: dict[str, Any]) -> str | None:
    name = found.get("theme")
    if name is None or (isinstance(name, str) and name in THEMES):
        return name
    raise WrongConfig(f"{config.where('theme')}: {name!r} is not a theme. {did_you_mean(str(name), THEMES)}")


def _fps(config: Config, found: dict[str, Any]) -> float | None:
    fps = found.get("fps")
    if fps is None:
        return None
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not SLOWEST_FPS <= fps <= FASTEST_FPS:
        where = config.where("fps")
        raise WrongConfig(f"{where}: fps is a number from {SLOWEST_FPS:g} to {FASTEST_FPS:g}, not {fps!r}.")
    return float(fps)


def _columns(config: Config, found: dict[str, Any]) -> tuple[str, ...] | None:
    names = found.get("columns")
    if names is None:
        return None
    where = config.where("columns")
    try:
        shown = msgspec.convert(names, list[str])
    except msgspec.ValidationError:
        shown = []
    if not shown:
        raise WrongConfig(f'{where}: columns takes a list of names, such as columns = ["id", "status", "result"].')
    for name in shown:
        if name not in COLUMNS:
            raise WrongConfig(f"{where}: {name!r} is not a column. {did_you_mean(name, COLUMNS)}")
        if shown.count(name) > 1:
            raise WrongConfig(f"{where}: {name} stands there {shown.count(name)} times; a column can be there once.")
    return tuple(shown)


def _keys(config: Config, found: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(found, dict):
        raise WrongConfig(f'{config.where("keys")}: keys is a table: [keys], and below it such as quit = ["q"].')
    keys = dict[str, tuple[str, ...]]()
    for action, said in msgspec.convert(found, dict[str, Any]).items():
        listed = [said] if isinstance(said, str) else said
        if not isinstance(listed, list) or not all(isinstance(key, str) for key in msgspec.convert(listed, list[Any])):
            where = config.where(action, table="keys")
            raise WrongConfig(f'{where}: {action} takes a list of keys, such as {action} = ["x", "ctrl+x"].')
        keys[action] = tuple(msgspec.convert(listed, list[str]))
    return keys


def _lines_taken(lines: Sequence[str]) -> int:
    """How many lines the value that begins on the first one takes."""
    for count in range(1, len(lines) + 1):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            tomllib.loads("\n".join(lines[:count]))
            return count
    return 1


def _line_of(lines: Iterable[str], name: str, table: str, *, absent: int = 1) -> int:
    """The line, from 1, on which a name of a table (``""``: of none) gets its value or begins."""
    inside = ""
    for number, text in enumerate(lines, 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", text):
            inside = header[1].strip("\"'")
            if inside == name and not table:
                return number
        elif inside == table and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[.=]""", text):
            return number
    return absent
