"""The key that begins a recording and ends it; what the first line says of it, and what is said of it at the end."""

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path

from textual.app import App

from zypher_tui.core import formats
from zypher_tui.core.cleaning import clean
from zypher_tui.core.store import Store
from zypher_tui.saving import Saving, Wanted
from zypher_tui.screens.recording import RecordScreen
from zypher_tui.widgets.header import Mark

LEAVE_S = 3.0
"""At the end of the dashboard, for the last line to be written."""


class Recordist:
    """One for each dashboard."""

    def __init__(
        self, app: App[int], store: Store, *, clock_s: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        """``changed`` is called when the first line says something else."""
        self._app = app
        self._store = store
        self._clock_s = clock_s
        self._changed = changed
        self._saving: Saving | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        self.said: list[str] = []
        """A sentence for each that has ended."""

    @property
    def mark(self) -> Mark | None:
        """That something is recorded, for how long and how large; or that it is no more, though it should be."""
        if self._saving is None:
            return Mark(("▲ recording ended", "▲ rec"), is_warning=True) if self._failed else None
        standing = self._saving.standing
        size = formats.size_bytes(standing.size_bytes)
        if standing.share is not None:
            return Mark((f"● recording {standing.share:.0%} of what was · {size}", f"● rec {standing.share:.0%}"))
        lasting = formats.age_s(standing.lasting_s)
        return Mark((f"● recording {lasting} · {size}", f"● rec {lasting} {size}"))

    def turn(self) -> None:
        """Ask what is to be recorded, and begin; or end what is being recorded."""
        if self._saving is not None:
            self._saving.stop()
            return
        self._failed = False
        self._changed()
        self._app.push_screen(RecordScreen(self._store, now_s=self._clock_s(), begin=self.begin))

    async def aclose(self) -> None:
        """The dashboard ends: what is written by now is the recording."""
        if self._saving is not None and self._task is not None:
            self._saving.stop(at_once=True)
            await asyncio.wait([self._task], timeout=LEAVE_S)

    def begin(self, wanted: Wanted) -> None:
        """Raises ``StartError``, ``RecordingThere``."""
        self._saving = Saving(self._store, wanted, clock_s=self._clock_s)
        self._task = asyncio.create_task(self._run(self._saving))
        self._changed()

    async def _run(self, saving: Saving) -> None:
        try:
            await saving.run()
        except Exception as error:  # noqa: BLE001  # the dashboard goes on, and says so
            saving.why = f"{type(error).__name__}: {error}"
        finally:
            self._saving = None
            self._failed = bool(saving.why)
        self._tell(saving)
        self._changed()

    def _tell(self, saving: Saving) -> None:
        standing, name = saving.standing, clean(_shown(saving.path))
        size = formats.size_bytes(standing.size_bytes)
        look = f"Look at it with: zypher tui --replay {clean(shlex.quote(_shown(saving.path)))}"
        if not saving.why:
            said = f"Recorded {formats.count(saving.predictions)} lines of predictions: {name}, {size}. {look}"
        elif saving.path.exists():
            said = f"The recording has ended: {clean(saving.why)}. What it has up to now, {size}, is whole. {look}"
        else:
            said = f"The recording has ended: {clean(saving.why)}. Nothing is left of {name}."
        self.said.append(said)
        if self._app.is_running:
            severity = "error" if saving.why else "information"
            self._app.notify(said, title="Recording", severity=severity, timeout=20, markup=False)


def _shown(path: Path) -> str:
    """As one would write it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
