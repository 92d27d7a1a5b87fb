"""``zypher load``: a load without a screen, its outcome as a table or as JSON, and conditions on it."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from zypher_tui.core import cells, checks, formats
from zypher_tui.load.figures import FIGURES, figure
from zypher_tui.load.generator import Generator
from zypher_tui.load.inputs import read_inputs
from zypher_tui.load.meter import Outcome
from zypher_tui.load.plan import How, Plan, describe
from zypher_tui.load.report import Report, State
from zypher_tui.load.target import ApiTarget, TargetAway
from zypher_tui.load.texts import WrongPlan, read_plan
from zypher_tui.load.where import inputs_of, why_not

PROGRESS_S = 1.0
WORDS: Mapping[Outcome, str] = {
    Outcome.OK: "ok",
    Outcome.FAILED: "failed",
    Outcome.REFUSED: "refused (429, 503)",
    Outcome.CLIENT_ERROR: "other 4xx",
    Outcome.SERVER_ERROR: "other 5xx",
    Outcome.NO_ANSWER: "no answer",
    Outcome.ABANDONED: "abandoned",
}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    url: str
    api_key: str | None
    texts: Mapping[str, str]
    """See ``texts.DEFAULTS``; ``input`` is JSON, ``@FILE`` or ``-``."""
    allows_remote: bool = False
    as_json: bool = False
    check: str = ""
    cancels: bool = False
    """What is left in the queue at the end."""


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints: one object in one line."""

    url: str
    plan: Plan
    report: Report
    canceled: int
    checks: list[checks.Outcome]


class WrongLoad(ValueError):
    """It cannot be done as it was asked for; the message says why, and the way out."""


def run_load(load: Load) -> int:
    """Send it; 0, or 1 if a condition does not hold or nothing at all ended well. Raises ``WrongLoad``.

    The first interrupt stops the load, and what came of it so far is printed.
    """
    try:
        conditions = checks.parse(load.check, FIGURES) if load.check else []
    except checks.WrongCheck as error:
        raise WrongLoad(str(error)) from error
    if not load.allows_remote and (why := why_not(load.url)):
        raise WrongLoad(why)
    return asyncio.run(_run(load, conditions))


async def _run(load: Load, conditions: list[checks.Condition]) -> int:
    target = ApiTarget(load.url, api_key=load.api_key)
    try:
        plan, inputs = await _prepare(load, target)
        generator = Generator(plan, inputs, target)
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not in the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, generator.stop)
        _say(f"{describe(plan)} to {plan.model} at {load.url}, {plan.how.value}. Ctrl-C stops it.")
        running = asyncio.create_task(generator.run())
        while not running.done():
            await asyncio.wait((running,), timeout=PROGRESS_S)
            _say(_progress(generator.report()), again=True)
        running.result()
        _say("")
        canceled = await _settle(generator, cancels=load.cancels)
    finally:
        await target.aclose()
    report = generator.report()
    outcomes = checks.judge(conditions, lambda name: figure(name, report))
    if load.as_json:
        result = _Result(url=load.url, plan=plan, report=report, canceled=canceled, checks=outcomes)
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        lines = [*table(plan, report), *([f"Asked to cancel {canceled:,}."] if canceled else []), *map(str, outcomes)]
        sys.stdout.write("\n".join(lines) + "\n")
    if conditions:
        return 0 if all(outcome.holds for outcome in outcomes) else 1
    return 0 if report.outcomes[Outcome.OK] else 1


async def _prepare(load: Load, target: ApiTarget) -> tuple[Plan, list[bytes]]:
    try:
        models = {model.name: model for model in await target.models()}
        plan = read_plan(load.texts, list(models))
        text = load.texts.get("input", "")
        example = bytes(models[plan.model.partition("@")[0]].input_example)
        inputs = read_inputs(sys.stdin.buffer.read()) if text == "-" else inputs_of(text, example)
    except TargetAway as error:
        raise WrongLoad(str(error)) from error
    except WrongPlan as error:
        raise WrongLoad("\n".join(f"{field}: {why}" for field, why in error.fields.items())) from error
    except ValueError as error:
        raise WrongLoad(f"input: {error}") from error
    return plan, inputs


async def _settle(generator: Generator, *, cancels: bool) -> int:
    canceled = 0
    try:
        await generator.look()
        if cancels and generator.report().open:
            canceled = await generator.cancel_open()
            await generator.look()
    except TargetAway as error:
        sys.stderr.write(f"How it stands with the queue is not known. {error}\n")
    return canceled


def table(plan: Plan, report: Report) -> list[str]:
    """The outcome for people."""
    times = report.times
    asked = f"of {report.planned:,} planned" if report.due is not None else f"of {report.planned:,} at most"
    rate = f"{formats.rate(report.sent_per_s)}/s"
    if report.due_per_s is not None:
        rate += f", asked {formats.rate(report.due_per_s)}/s"
    rows = [
        ("sent", f"{report.sent:,} {asked}, in {formats.duration_ms(report.elapsed_s * 1000)}, {rate}"),
        *(
            (WORDS[outcome], f"{count:,}")
            for outcome, count in report.outcomes.items()
            if count or outcome is Outcome.OK
        ),
        *([("held back", f"{report.held_back:,}, as a refusal said")] if report.held_back else []),
        ("p50 · p95", f"{formats.duration_ms(times.p50_ms)} · {formats.duration_ms(times.p95_ms)}"),
        ("p99 · most", f"{formats.duration_ms(times.p99_ms)} · {formats.duration_ms(times.max_ms)}"),
    ]
    if report.late_p95_ms is not None:
        rows.append(("left late", f"p95 {formats.duration_ms(report.late_p95_ms)} after it was due"))
    if plan.how is not How.SYNC:
        ended = ", ".join(f"{count:,} {status.value}" for status, count in report.ended.items())
        rows.append(("in the queue", f"{report.open:,} open" + (f"; ended: {ended}" if ended else "")))
    rows += [("error", f"{error.count:,} of {error.label}  {error.last}".rstrip()) for error in report.errors]
    return [f"{cells.fit(name, 18)}  {text}" for name, text in rows]


def _progress(report: Report) -> str:
    left = f"{report.left_s:.0f} s left" if report.left_s else f"{report.in_flight:,} answers left"
    if report.state is State.ENDED:
        left = "ended"
    p95 = formats.duration_ms(report.times.p95_ms)
    bad = report.sent - report.in_flight - report.outcomes[Outcome.OK]
    return f"sent {report.sent:,} · ok {report.outcomes[Outcome.OK]:,} · not {bad:,} · p95 {p95} · {left}"


def _say(text: str, *, again: bool = False) -> None:
    """To a person at the terminal; ``again``: in the line of the last time."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}" if again else f"{text}\n")
        sys.stderr.flush()
