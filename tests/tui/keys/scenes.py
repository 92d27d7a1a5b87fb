"""Every key of the dashboard: where it works, and what is seen of it. A scene is one dashboard, its tries in turn."""

from collections.abc import Mapping, Sequence

from tests.tui.keys.stage import Try
from tests.tui.keys.steps import (
    SURE,
    adds_is_known,
    all_are_canceled,
    are,
    ask,
    attention,
    audited,
    cell,
    changes,
    chosen,
    clipboard,
    columns,
    cursor,
    descends,
    edited,
    focus,
    focused,
    in_the_queue,
    is_open,
    may_act,
    may_not_act,
    nobody_has_the_focus,
    opened,
    past_s,
    paused,
    pausing,
    record_file,
    remember,
    resuming,
    scrolled,
    see,
    share,
    sorting,
    step,
    title,
    to_a_cell,
    to_item,
    to_the_letter,
    type_number,
    waiting,
)
from zypher_tui.palette import palette
from zypher_tui.widgets.attention import AttentionList
from zypher_tui.widgets.column_dialog import ColumnDialog
from zypher_tui.widgets.heat_map import HeatMap

EVERYWHERE = [
    Try("Controls", "help", "Help · type to search"),
    Try("HelpDialog", "leave-the-help", "!Help · type to search"),
    *(
        Try("Controls", f"screen-{at}", lambda stage, name=name: title(stage) == name)
        for at, name in ((2, "Predictions"), (3, "Workers"), (4, "Models"), (5, "Dead letters"))
    ),
    Try("Controls", "screen-6", lambda stage: title(stage) == "Load", back=[step(nobody_has_the_focus)]),
    Try("Controls", "screen-1", lambda stage: title(stage) == "Overview"),
    Try("Controls", "pause", "‖"),
    Try("Controls", "5-min-back", changes(past_s), lead=[remember(past_s)]),
    Try("Controls", "5-min-on", lambda stage: past_s(stage) < 1),
    Try("Controls", "10-s-back", lambda stage: past_s(stage) > 1),
    Try("Controls", "10-s-on", lambda stage: past_s(stage) < 1, back=["p", see("!‖")]),
    Try("Controls", "begin-of-what-is-known", "‖"),
    Try("Controls", "end-of-what-is-known", "!‖"),
    Try("Controls", "next-trouble", "Nothing is known"),
    Try(
        "Controls", "trouble-before", lambda stage: "earlier" in stage.text or "‖" in stage.text,
        back=[step(lambda stage: stage.dashboard.show_time(None)), see("!‖")],
    ),
    Try("Controls", "next-table", changes(focused), lead=[focus("#feed"), remember(focused)]),
    Try("Controls", "copy", lambda stage: clipboard(stage) == stage.ids[-1], lead=[ask("mock", "a", ended=True)]),
    Try(
        "Controls", "details", lambda stage: opened(stage) == stage.ids[-1],
        lead=[step(nobody_has_the_focus)], back=["escape"],
    ),
    Try("Controls", "commands", "Commands · type to find"),
    Try("CommandDialog", "leave-the-commands", "!Commands · type to find"),
    Try("Controls", "jump", lambda stage: type(stage.dashboard.screen).__name__ == "JumpScreen"),
    Try("JumpScreen", "leave", lambda stage: type(stage.dashboard.screen).__name__ != "JumpScreen"),
    Try("Controls", "what-is-wrong", "The API and Redis are up.", back=["escape"]),
    Try("Controls", "last-actions", "Last actions"),
    Try("Dialog", "close", "!Last actions"),
    Try("Controls", "record-or-end-the-recording", "Record an incident"),
    Try("RecordScreen", "next-field", changes(focused), lead=[remember(focused)]),
    Try("RecordScreen", "field-before", changes(focused), lead=[remember(focused)]),
    Try("RecordScreen", "record-nothing", "!Record an incident"),
    Try(
        "RecordScreen", "begin-the-recording", lambda stage: (stage.directory / "incident.zyr").exists(),
        lead=["W", see("Record an incident"), step(record_file)], back=["W", see("!● rec")],
    ),
    Try(
        "Controls", "next-theme", changes(lambda _: palette.theme), lead=[remember(lambda _: palette.theme)],
        back=[step(lambda stage: stage.dashboard.choices.choose_theme(stage.before))],
    ),
    Try("Controls", "filter", "Filter ·"),
    Try("FilterLine", "drop-the-filter", "!Filter ·", lead=["a"]),
    Try("Controls", "quit", lambda stage: stage.dashboard.return_value == 0),
]  # fmt: skip

OVERVIEW = [
    Try("OverviewPane", "time-span", "!last 1m04s", lead=[see("last 1m04s")]),
    Try("OverviewPane", "wait-run-or-total", changes(lambda stage: stage.dashboard.query_one(HeatMap).kind),
        lead=[remember(lambda stage: stage.dashboard.query_one(HeatMap).kind)], back=["w", "w"]),
    Try("OverviewPane", "to-what-needs-attention", lambda stage: isinstance(focused(stage), AttentionList),
        lead=[ask("picky", "no", ended=True), pausing("low"), see("Queue low is paused"), see("dead letter")]),
    Try("AttentionList", "down", changes(attention), lead=[remember(attention)]),
    Try("AttentionList", "up", changes(attention), lead=[remember(attention)]),
    Try("AttentionList", "last", changes(attention), lead=[remember(attention)]),
    Try("AttentionList", "first", changes(attention), lead=[remember(attention)]),
    Try("AttentionList", "resume", paused("low", is_so=False), audit="queue.resume",
        lead=[step(lambda stage: to_item(stage, "Queue low"))]),
    Try("AttentionList", "retry", "Replay 1 prediction?",
        lead=[see("!Queue low is paused"), step(lambda stage: to_item(stage, "dead letter"))], back=["escape"]),
    Try("AttentionList", "details", lambda stage: title(stage) == "Dead letters", back=["1"]),
    Try("HeatMap", "last", lambda stage: cell(stage) is not None,
        lead=[ask("mock", "a", "b", ended=True), ask("picky", "slow", ended=True),
              focus("#heat"), see(lambda stage: cell(stage) is not None)]),
    Try("HeatMap", "earlier", changes(cell), lead=[remember(cell)]),
    Try("HeatMap", "later", changes(cell), lead=[remember(cell)]),
    Try("HeatMap", "slower", changes(cell), lead=["down", remember(cell)]),
    Try("HeatMap", "faster", changes(cell), lead=["up", remember(cell)]),
    Try("HeatMap", "first", changes(cell), lead=[remember(cell)], back=["end"]),
    Try("HeatMap", "open", lambda stage: title(stage) == "Predictions" or opened(stage),
        lead=[step(to_a_cell)]),
]  # fmt: skip


TABLES = [
    Try("Table", "down", lambda stage: cursor("#predictions")(stage) == 1,
        lead=[ask("mock", *"abcdef", ended=True), "2", see("Predictions · ")]),
    Try("Table", "up", lambda stage: cursor("#predictions")(stage) == 0),
    Try("Table", "last", lambda stage: cursor("#predictions")(stage) == 5),
    Try("Table", "first", lambda stage: cursor("#predictions")(stage) == 0),
    Try("Table", "page-down", lambda stage: cursor("#predictions")(stage) == 5),
    Try("Table", "page-up", lambda stage: cursor("#predictions")(stage) == 0),
    Try("Table", "details", lambda stage: opened(stage) in stage.ids, back=["escape"]),
    Try("PredictionsPane", "filter", "Filter ·", back=[*"input:*a*", "enter", see("1 of 6")]),
    Try("PredictionsPane", "show-all", "!1 of 6"),
    Try("PredictionsPane", "mark", "1 marked"),
    Try("PredictionsPane", "unmark-all", "!1 marked"),
    Try("PredictionsPane", "columns", lambda stage: isinstance(stage.dashboard.screen, ColumnDialog)),
    Try("ColumnDialog", "down", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "up", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "last", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "show-or-hide-the-column", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "first", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "carry-the-column-down", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "carry-the-column-up", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "the-usual-columns", changes(columns), lead=[remember(columns)]),
    Try("ColumnDialog", "leave-the-columns-as-they-were", lambda stage: columns(stage) is None),
    Try("ColumnDialog", "keep-the-columns", lambda stage: columns(stage) is None, lead=["o"]),
    Try("Table", "sort-by-the-next-column", sorting,
        lead=["4", see("mock@1")]),
    Try("Table", "least-first", lambda stage: not descends(stage)),
    Try("Table", "most-first", descends),
]  # fmt: skip

PREDICTIONS = [
    Try("PredictionTable", "cancel", are("canceled"), audit="prediction.cancel",
        lead=[pausing("normal"), "2", ask("mock", "a")]),
    Try("PredictionTable", "replay", "the new one is", audit="prediction.replay"),
    Try("PredictionTable", "cancel-them-all", "yes, cancel", lead=[step(all_are_canceled), ask("mock", "a", "b")]),
    Try("DeedDialog", "no-leave-it", are("queued")),
    Try("DeedDialog", "yes-do-it", are("canceled"), lead=["X", see("yes, cancel")], audit="predictions.cancel",
        back=[see("Canceled 2 predictions.")]),
    Try("PredictionTable", "replay-them-all", "yes, replay",
        lead=["slash", *"status:canceled", "enter", see("· status:canceled")],
        back=["y", see("Replayed 2 predictions."), see(audited("predictions.replay"))]),
    Try("PredictionTable", "drop-them-all", SURE, lead=[see(lambda stage: stage.dashboard.pane.first)]),
    Try("DeedDialog", "take-the-number", are("404"), lead=[step(type_number)], audit="predictions.drop",
        back=[see("Dropped 2 predictions."), "escape"]),
    Try("DeedDialog", "stop-after-this-step", "it stops after this step",
        lead=[step(all_are_canceled), ask("mock", "a", "b"), step(may_not_act), "X", see("yes, cancel"), "y",
              see("of 2 done")]),
    Try("DoneDialog", "stop-what-is-under-way", "it stops after this step",
        lead=["escape", "A", see("s stops what is under way")],
        back=["escape", step(may_act), see(are("canceled")), resuming("normal")]),
]  # fmt: skip

RETRIES = [
    Try("PredictionTable", "retry-now", "its next attempt is due now",
        lead=["2", ask("falters", "a"), see("waits to retry")], audit="prediction.retry",
        back=[see(are("failed")), see("!waits to retry")]),
    Try("PredictionTable", "retry-them-all-now", "yes, retry",
        lead=[ask("falters", "a", "b"), "slash", *"status:queued", "enter", see("2 of "),
              see(lambda stage: stage.text.count("waits to retry") == 2)],
        back=["y", see("Retried 2 predictions."), see(audited("predictions.retry")), see(are("failed"))]),
    Try("PredictionScreen", "retry-now", "its next attempt is due now",
        lead=["escape", ask("falters", "a"), see("waits to retry"), "enter", see(is_open),
              see("the next not before"), see("r retry now")],
        audit="prediction.retry", back=[see(are("failed")), see("r replay")]),
]  # fmt: skip

QUEUES = [
    *(
        Try("QueueDialog", f"{name}-pause-or-resume", paused(name), lead=["P", see(f"{name[0]} pauses it")],
            back=["P", see(f"{name[0]} resumes it"), name[0], see(paused(name, is_so=False))], audit="queue.pause")
        for name in ("high", "normal", "low")
    ),
    *(
        Try("QueueDialog", f"{name}-purge", f"All that waits in queue {name}.",
            lead=[pausing(name), ask("mock", "a", "b", priority=name), see(waiting(name, 2)), "P", see("purges it")],
            back=[step(type_number), "enter", see(are("canceled")), see(audited("predictions.cancel")), resuming(name)])
        for name in ("high", "normal", "low")
    ),
    Try("Controls", "pause-purge-a-queue", "Pause, resume or purge a queue"),
    Try("QueueDialog", "close", "!Pause, resume or purge a queue"),
]  # fmt: skip

DEAD_LETTERS = [
    Try("DeadLettersPane", "last-good", opened,
        lead=[ask("picky", "yes", ended=True), ask("picky", "no", "no", ended=True), "5", step(to_the_letter)],
        back=["escape"]),
    Try("DeadLettersPane", "replay", "the new one is", audit="prediction.replay"),
    Try("DeadLettersPane", "replay-all-of-the-kind", "yes, replay", back=["y", see(audited("predictions.replay"))]),
    Try("DeadLettersPane", "drop-all-of-the-kind", SURE,
        lead=[ask("picky", "no", ended=True), see(lambda stage: stage.ids[0][:8] in stage.text)],
        back=[step(type_number), "enter", see(audited("predictions.drop"))]),
    Try("LetterTable", "replay", "the new one is",
        lead=[ask("picky", "no", ended=True), see(lambda stage: stage.ids[0][:8] in stage.text), focus("#letters")],
        audit="prediction.replay"),
    Try("LetterTable", "drop", SURE,
        lead=[ask("picky", "no", ended=True), see(lambda stage: stage.ids[0][:8] in stage.text)],
        back=[step(type_number), "enter", see("Dropped 1 prediction.")]),
    Try("DeadLettersPane", "predictions-with-that-error", lambda stage: title(stage) == "Predictions",
        lead=[ask("picky", "no", ended=True), see(lambda stage: stage.ids[0][:8] in stage.text), focus("#kinds")]),
]  # fmt: skip


ONE = [
    Try("PredictionScreen", "scroll-down", changes(scrolled),
        lead=[ask("picky", "yes", ended=True), ask("picky", "no", "no", ended=True), "2", see("it says no"), "enter",
              see(opened), see("it says no"),
              step(lambda stage: stage.pilot.resize_terminal(80, 24)), remember(scrolled)]),
    Try("PredictionScreen", "scroll-up", changes(scrolled), lead=[remember(scrolled)],
        back=[step(lambda stage: stage.pilot.resize_terminal(120, 44))]),
    Try("PredictionScreen", "copy-the-id", lambda stage: clipboard(stage) == opened(stage)),
    Try("PredictionScreen", "copy-as-curl", lambda stage: clipboard(stage).startswith("curl ")),
    Try("PredictionScreen", "copy-the-output", "It has no output."),
    Try("PredictionScreen", "copy-the-traces-id", "It has no trace"),
    Try("PredictionScreen", "fold", "!f shows all", lead=[see("f shows all")], back=["f", see("f shows all")]),
    Try("PredictionScreen", "next", changes(opened), lead=[remember(opened)]),
    Try("PredictionScreen", "before", changes(opened), lead=[remember(opened)]),
    Try("PredictionScreen", "last-good", changes(opened), lead=[remember(opened)]),
    Try("PredictionScreen", "back", changes(opened), lead=[remember(opened)]),
    Try("PredictionScreen", "edit-and-send", edited),
    Try("EditScreen", "drop-the-edit", opened),
    Try("EditScreen", "send", changes(opened), lead=[remember(opened), "e", see(edited)],
        back=[see(opened)]),
    Try("PredictionScreen", "original", lambda stage: opened(stage) == stage.before),
    Try("PredictionScreen", "replay", "the new one is", audit="prediction.replay"),
    Try("PredictionScreen", "cancel", "has ended before: failed"),
    Try("PredictionScreen", "drop", SURE, back=[step(type_number), "enter", see("Dropped 1 prediction.")]),
    Try("PredictionScreen", "same-error", lambda stage: title(stage) == "Predictions" and not opened(stage),
        lead=["2", ask("picky", "no", ended=True), "home", see(lambda stage: stage.ids[0][:6] in stage.text),
              "enter", see(is_open), see("it says no")]),
]  # fmt: skip

WORKERS = [
    Try("WorkersPane", "copy", clipboard, lead=["3", see("● ready")]),
    Try(
        "WorkTable",
        "cancel",
        are("canceled"),
        audit="prediction.cancel",
        lead=[ask("waits", "a"), see("Runs 1"), focus("#work")],
    ),
    Try(
        "WorkTable",
        "replay",
        "the new one is",
        audit="prediction.replay",
        lead=[ask("picky", "no", ended=True), see("failed here lately 1"), "home"],
    ),
    Try("WorkTable", "drop", SURE, back=[step(type_number), "enter", see("Dropped 1 prediction.")]),
]

MODELS = [
    Try("ModelsPane", "copy", lambda stage: clipboard(stage).startswith("curl "), lead=["4", step(adds_is_known)]),
    Try("ModelsPane", "mark", "◆"),
    Try("ModelsPane", "unmark-all", "!◆"),
    Try("ModelsPane", "switch-traffic", "Send the traffic of adds to"),
    Try("AskScreen", "leave-it", "!Send the traffic of adds to"),
    Try("AskScreen", "do-it", share("2", 1.0), lead=["T", see("Send the traffic"), "ctrl+u", "2", see("1: 90 % → 0 %")],
        audit="model.live", back=[see("is switched")]),
    Try("ModelsPane", "roll-back", "Roll adds back", lead=[see("a roll back leads to")],
        back=["enter", see(share("2", 0.1)), see("!Roll adds back"), see(audited("model.rollback"))]),
    Try("ModelsPane", "unload", "Unload adds", lead=[see("!Roll adds back")],
        back=["enter", see("!Unload adds"), see(audited("model.unload"))]),
    Try("ModelsPane", "load", "Load adds",
        back=["enter", see("!Load adds"), see(audited("model.load")),
              see(lambda stage: len(stage.dashboard.deeds.notes) == 4)]),
]  # fmt: skip

LOAD = [
    Try("Choice", "next-choice", changes(chosen),
        lead=["6", see("S start"), focus("#load-how"), remember(chosen)]),
    Try("Choice", "choice-before", changes(chosen),
        lead=[remember(chosen)]),
    Try("LoadForm", "next-field", changes(focused), lead=[remember(focused)]),
    Try("LoadForm", "field-before", changes(focused), lead=[remember(focused)]),
    Try("LoadForm", "leave-the-field", changes(focused), lead=[remember(focused)]),
    Try("LoadPane", "start-the-load", "◐ running", lead=[pausing("normal"), step(in_the_queue)]),
    Try("LoadPane", "stop-the-load", "● ended"),
    Try("LoadPane", "cancel-what-the-load-left", waiting("normal", 0), audit="predictions.cancel",
        lead=[see("X cancels these only")], back=[resuming("normal")]),
    Try("LoadLine", "start-the-load-or-stop-it", "◐ running", lead=[focus("#load-line")], back=["x", see("● ended")]),
]  # fmt: skip


SCENES: Mapping[str, Sequence[Try]] = {
    "everywhere": EVERYWHERE,
    "overview": OVERVIEW,
    "tables": TABLES,
    "predictions": PREDICTIONS,
    "retries": RETRIES,
    "queues": QUEUES,
    "dead-letters": DEAD_LETTERS,
    "one-prediction": ONE,
    "workers": WORKERS,
    "models": MODELS,
    "load": LOAD,
}
