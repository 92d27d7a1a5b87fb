"""What opens before many predictions are acted on: the server's own count, what it does, and how to say yes."""

import asyncio
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import ASK_FOR_NUMBER, Choice, Counted, Verb, ending, predictions
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.drawing import Part, entitle


class DeedDialog(Dialog, inherit_bindings=False):
    """Counts, asks, and then shows how far it is. Enter alone never says yes."""

    PLACE = "before many are acted on"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", "Yes, do it"),
        Binding("escape,n,q", "leave", "No, leave it"),
        Binding("enter", "enter", "Take the number"),
        Binding("s", "stop", "Stop after this step"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, verb: Verb, choice: Choice, *, note: str = "") -> None:
        super().__init__("")
        self._verb = verb
        self._choice = choice
        self._note = " ".join(each for each in (note, choice.note) if each)
        self._counted: Counted | None = None
        self._answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._typed = ""
        self._hint = ""
        self._error = ""
        self._done: int | None = None
        self.is_stopped = False

    async def agreed(self, counted: Counted) -> bool:
        """Show the count, and wait until a person says yes or leaves."""
        self._counted = counted
        self._fill()
        return await self._answer

    def fail(self, why: str) -> bool:
        """It could not be counted, or broke off in the middle; whether anybody saw it here."""
        self._error = why
        self._settle(yes=False)
        self._fill()
        return self.is_current

    @property
    def so_far(self) -> str:
        """How far it is, in a line."""
        of = self._counted.possible if self._counted else 0
        end = "; it stops after this step" if self.is_stopped else ""
        return f"{self._verb.value.capitalize()} {self._choice.says}: {self._done or 0:,} of {of:,} done{end}."

    def progress(self, done: int) -> bool:
        """So many are done; whether it is to go on."""
        self._done = done
        self._fill()
        return not self.is_stopped

    def close(self) -> None:
        """It is done."""
        if self.is_current:
            self.dismiss()

    def on_unmount(self) -> None:
        """Whatever closed it: that is no yes."""
        self._settle(yes=False)

    def on_key(self, event: events.Key) -> None:
        """A figure of the number."""
        if not self._wants_number or self._answer.done():
            return
        if event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.character is not None and event.character.isdecimal() and event.character.isascii():
            self._typed = (self._typed + event.character)[:12]
        else:
            return
        event.stop()
        self._hint = ""
        self._fill()

    def action_agree(self) -> None:
        """Do it, where no number is wanted."""
        if self._counted is not None and self._counted.possible and not self._wants_number:
            self._settle(yes=True)

    def action_enter(self) -> None:
        """Do it if the number stands there; with nothing typed it is a no."""
        if self._counted is None or not self._wants_number or not self._typed:
            if not self._answer.done():
                self.dismiss()
        elif self._typed == self._counted.number:
            self._settle(yes=True)
        else:
            self._hint = f"That is not {self._counted.number}."
            self._fill()

    def action_leave(self) -> None:
        """Nothing is done; what is being done goes on."""
        self.dismiss()

    def action_stop(self) -> None:
        """No more after this step."""
        if self._answer.done():
            self.is_stopped = True
            self._fill()

    def fill(self) -> None:
        """Put what there is to say into the box."""
        verb = self._verb.value
        count = self._counted
        title = "…" if count is None else f"{predictions(count.possible)}{'' if self._error else '?'}"
        entitle(self.box, f"{verb.capitalize()} {title}")
        entitle(self.box, self._ways_out, below=True)
        width = max(self.box.scrollable_content_region.width - 2, 20)
        lines: list[list[Part]] = [[]]
        for text, style in self._sentences():
            lines += [[(f" {each}", style)] for each in cells.wrap(text, width)]
            lines.append([])
        self.box.show(lines)

    @property
    def _wants_number(self) -> bool:
        count = self._counted
        return (
            count is not None
            and bool(count.possible)
            and (self._verb is Verb.DROP or self._choice.wants_number or count.possible > ASK_FOR_NUMBER)
        )

    @property
    def _ways_out(self) -> str:
        if self._error:
            return "esc closes"
        if self._answer.done():
            return f"{keymap.shown('s', DeedDialog)} stops after this step · esc goes on behind"
        return "esc leaves it"

    def _sentences(self) -> list[Part]:
        verb, count = self._verb.value, self._counted
        says = self._choice.says
        said = [(says[:1].upper() + says[1:] + ".", palette.PLAIN)]
        if self._error:
            return [*said, (f"✗ {self._error}", palette.ERROR)]
        if count is None:
            return [*said, ("The server counts them…", palette.DIM)]
        if self._done is not None or self._answer.done():
            so_far = f"{self._done or 0:,} of {count.possible:,} done"
            return [
                *said,
                (f"{so_far}; it stops after this step." if self.is_stopped else f"{so_far}…", palette.STRONG),
            ]
        least = "" if count.is_all else "at least "
        counted = f"The server counts {least}{count.possible:,} that can be {self._verb.done.lower()}."
        if count.skipped:
            counted += f" {formats.count(count.skipped)} cannot be: {ending(count.why)}."
        said.append((counted, palette.STRONG))
        if self._note:
            said.append((self._note, palette.WARNING))
        if not count.possible:
            return [*said, ("There is nothing to do.", palette.PLAIN)]
        said.append((self._verb.consequence, palette.PLAIN))
        if self._wants_number:
            said.append(
                (f"To {verb} them, type {count.number} and press enter: {self._typed}▏ {self._hint}", palette.WARNING)
            )
        else:
            said.append((f"y  yes, {verb} {'it' if count.possible == 1 else 'them'}", palette.BRAND))
        return said

    def _settle(self, *, yes: bool) -> None:
        if not self._answer.done():
            self._answer.set_result(yes)
            if yes:
                self._fill()

    def _fill(self) -> None:
        if self.is_attached and self.query("#box"):
            self.fill()
