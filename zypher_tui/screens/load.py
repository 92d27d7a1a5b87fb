"""The last key: a bounded load, to try out a model and to see the queue react."""

from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.view import View
from zypher_tui.keymap import Help, keymap
from zypher_tui.load.desk import Desk, Offer
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import Report, State
from zypher_tui.load.where import inputs_of
from zypher_tui.screens.asked import Acted
from zypher_tui.screens.pane import Pane
from zypher_tui.widgets.drawing import entitle
from zypher_tui.widgets.load_chart import LoadChart
from zypher_tui.widgets.load_form import LoadForm, LoadLine
from zypher_tui.widgets.load_outcome import Lines, error_lines, outcome_lines

DRAW_EVERY_S = 0.5
OFFERS_EVERY_S = 5.0
DOTS = "⠒"
"""Stands for a line of dots."""
GLYPHS = {State.READY: "○", State.RUNNING: "◐", State.STOPPING: "◌", State.ENDED: "●"}


class LoadPane(Pane):
    """The form above, the charts, what came of it."""

    TITLE = "Load"
    NEEDS_FIGURES = False
    KEYS = (("S", "start"), ("x", "stop"), ("X", "cancel what it left"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "start", "Start the load"),
        Binding("x", "stop", "Stop the load"),
        Binding("X", "cancel_open", "Cancel what the load left"),
    ]
    ABOUT = Help(
        "Load",
        "Sends a model what the form says, within its bounds, and shows what comes of it. Other screens show what the "
        "queue and the workers make of it meanwhile.",
        (
            ("answer", "sync: in the response; async: into the queue; wait: into the queue, and waited for"),
            ("shape", "constant; callers, who wait for their answer; ramp from nothing; spike in the middle"),
            ("total", "Requests at most; limit is that of requests per second"),
            ("refused", "429 and 503; honor sends nothing for as long as they say"),
            ("p50 · p95", "Of what ended well, from when it was due"),
            ("open", "Predictions of this load that wait or run; X cancels them and no others"),
        ),
    )

    def __init__(self, *, id: str, desk: Desk) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._desk = desk
        self._offers: list[Offer] = []
        self._trouble = ""
        """Why the models are not known."""
        self._is_past = False
        self.shown_plan: Plan | None = None
        """Of the load that is shown."""
        self._form = LoadForm(id="load-form")
        self._rates = LoadChart(id="load-rates", ramp="throughput")
        self._times = LoadChart(id="load-times", ramp="depth")
        self._outcome = Lines(id="load-outcome")
        self._errors = Lines(id="load-errors")
        self._below = (self._rates, self._times, self._outcome, self._errors)

    async def on_show(self) -> None:
        """Ask for the models at once. Its widgets are made when it is first seen: they cost the first frame 20 ms."""
        if not self._form.is_attached:
            await self.mount(self._form, Container(*self._below, id="load-body"))
            entitle(self._outcome, "Outcome")
            entitle(self._errors, "Errors")
            self.set_interval(DRAW_EVERY_S, self._draw_if_shown)
            self.set_interval(OFFERS_EVERY_S, self._ask)
            self._draw()
            if self.display:
                self._form.first.focus()
        self._ask()

    def on_unmount(self) -> None:
        """No load outlives the dashboard."""
        self._desk.close()

    @property
    def first(self) -> Widget | None:
        """The model, or the start while a load is under way."""
        if not self._form.is_attached:
            return None
        return self._form.line if self._is_under_way else self._form.first

    def show_view(self, view: View) -> None:
        """A load is of now."""
        self._is_past = view.past_s is not None
        if self._form.is_attached:
            self._draw()

    def action_start(self) -> None:
        """Send what the form says."""
        why = self._why_not()
        plan = self._form.plan
        if why or plan is None:
            self.notify(why or "Something in the form is wrong.", timeout=4, markup=False)
            return
        example = next(each.example for each in self._offers if each.name == plan.model)
        try:
            inputs = inputs_of(self._form.input_text, example)
        except ValueError as error:
            self._form.refuse("input", str(error))
        else:
            self.shown_plan = plan
            self._desk.start(plan, inputs)
            self.post_message(Acted(f"Started a load of {plan.model}: {plan.total:,} requests at most."))
            self._form.line.focus()
        self._draw()

    def action_stop(self) -> None:
        """End the load within a second; what it left in the queue stays there."""
        self._desk.stop()
        self._draw()

    def action_cancel_open(self) -> None:
        """Cancel what is left of it in the queue."""
        report = self._desk.report
        if report is not None and report.open and not self._is_under_way:
            self._desk.cancel_open()
            said = f"Asked to cancel {report.open:,} predictions of this load."
            self.notify(said, timeout=4, markup=False)
            self.post_message(Acted(said))

    @on(LoadLine.Gone)
    def start_or_stop(self, message: LoadLine.Gone) -> None:
        """Enter on the line, or a click."""
        message.stop()
        if self._is_under_way:
            self.action_stop()
        else:
            self.action_start()

    @on(LoadForm.Edited)
    def take_in(self, message: LoadForm.Edited) -> None:
        """It says something else."""
        message.stop()
        self._draw()

    @property
    def _state(self) -> State:
        report = self._desk.report
        return report.state if report else State.READY

    @property
    def _is_under_way(self) -> bool:
        return self._state in (State.RUNNING, State.STOPPING)

    def _why_not(self) -> str:
        if self._desk.why_not:
            return self._desk.why_not
        if self._is_past:
            return f"The past is shown, and a load is of now: {keymap.shown('p')} goes back to it."
        if self._is_under_way:
            return f"A load is under way: {keymap.shown('x', LoadPane)} stops it."
        return self._trouble or ("" if self._offers else "The API is asked for its models.")

    def _draw_if_shown(self) -> None:
        if self.display:
            self._draw()

    def _draw(self) -> None:
        report = self._desk.report
        plan = self.shown_plan if report and self.shown_plan else self._form.plan
        self._form.let_edit(is_open=not self._is_under_way)
        entitle(self._form, f"Load · {_state_words(report)}")
        self._say(report)
        self._draw_charts(report, plan)
        width = self._outcome.size.width
        self._outcome.show(outcome_lines(report, plan.how if plan else How.SYNC, width=width))
        self._errors.show(error_lines(report, width=self._errors.size.width))

    def _say(self, report: Report | None) -> None:
        line = self._form.line
        wrong = self._form.focused_or_first_wrong()
        why = self._why_not()
        if self._is_under_way:
            line.say(_left(report), is_wrong=False, button="x stop")
        elif why:
            line.say(why, is_wrong=True, button="")
        elif wrong:
            line.say(f"{wrong[0]}: {wrong[1]}", is_wrong=True, button="")
        elif self._desk.trouble:
            line.say(self._desk.trouble, is_wrong=True, button="S start")
        elif report and report.open:
            said = f"{report.open:,} of its predictions wait or run; X cancels these only."
            line.say(said, is_wrong=False, button="S start")
        else:
            line.say(self._form.said(), is_wrong=False, button="S start")

    def _draw_charts(self, report: Report | None, plan: Plan | None) -> None:
        seconds = report.seconds if report else ()
        length = max(round(plan.duration_s) if plan else 1, len(seconds), 1)
        due = plan.schedule if plan else None
        asked = [due.due_by(at + 1.0) - due.due_by(float(at)) for at in range(length)] if due else []
        rate, times = "Per s", "Latency"
        if report:
            rate += f" · sent {formats.rate(report.sent_per_s)}"
            p50, p95 = (formats.duration_ms(ms) for ms in (report.times.p50_ms, report.times.p95_ms))
            times += f" · p50 {p50} {DOTS} p95 {p95}"
        if due:
            rate += f" · {DOTS} asked {formats.rate(due.count / due.length_s)}"
        sent = [float(second.sent) for second in seconds]
        self._rates.show(rate, sent, asked, seconds=length)
        p50s, p95s = [second.p50_ms for second in seconds], [second.p95_ms for second in seconds]
        self._times.show(times, p50s, p95s, seconds=length)

    def _ask(self) -> None:
        if self.display and not self._desk.why_not and not self._is_under_way:
            self._take_in_offers()

    @work(exit_on_error=False, exclusive=True)
    async def _take_in_offers(self) -> None:
        try:
            self._offers = await self._desk.offers()
            self._trouble = "" if self._offers else "The API has no models."
        except ValueError as error:
            self._trouble = str(error)
        self._form.offer([each.name for each in self._offers])
        self._draw()


def _state_words(report: Report | None) -> str:
    state = report.state if report else State.READY
    words = f"{GLYPHS[state]} {state.value}"
    if report and state is State.ENDED:
        words += f" after {formats.duration_ms(report.elapsed_s * 1000)}"
    return words


def _left(report: Report | None) -> str:
    if report is None or report.state is State.STOPPING:
        return "Stopping: what is under way has a moment left."
    if report.left_s <= 0:
        return f"All is sent; {report.in_flight:,} answers are waited for."
    return f"{formats.age_s(report.left_s)} and {report.planned - report.sent:,} requests left."
