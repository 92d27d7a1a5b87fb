"""What needs attention, as it is drawn, and its keys."""

import pytest

from tests.tui.drawn import Alone, alone
from tests.tui.mouse import wheel
from tests.tui.screen import SIZES
from zypher_tui.core.items import OPEN, RESUME, RETRY, Act, Item, Screen, Severity, Target
from zypher_tui.widgets.attention import AttentionList


def item(subject: str, *acts: Act, severity: Severity = Severity.WARNING, sentence: str = "") -> Item:
    """One of a rule."""
    return Item(
        rule="rule",
        subject=subject,
        severity=severity,
        sentence=sentence or f"{subject} is not as it should be.",
        advice=f"Mend {subject}.",
        target=Target(screen=Screen.MODELS, model=subject),
        acts=acts,
        since_s=10.0,
    )


ITEMS = [
    item(
        "mock",
        OPEN,
        RETRY,
        severity=Severity.CRITICAL,
        sentence="mock: 38 of the last 40 predictions failed: 模型",
    ),
    item("normal", OPEN, RESUME),
    item("dead", severity=Severity.NOTICE),
    *[item(f"w-{number}", OPEN) for number in range(60)],
]


@pytest.mark.parametrize("size", [*SIZES, (40, 6), (20, 2)])
async def test_it_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    """Glyph, word, sentence, age; the lines are as wide as the screen."""
    widget = AttentionList(id="attention")
    async with alone(widget, size) as (app, pilot):
        app.check_widths()
        assert "Waiting for figures" in app.text or size[0] < 21
        widget.show([], now_s=0)
        await pilot.pause()
        assert "● Nothing needs" in app.text
        widget.show(ITEMS, now_s=75)
        await pilot.pause()
        app.check_widths()
        assert "✗ critical" in app.text
        if size in SIZES:
            assert "▲ warning  normal is not as it should be." in app.text
            assert "1m05s" in app.lines[0]
            assert "⏎ open" in app.lines[1]
            assert "r retry all" in app.lines[1]
        assert widget.border_title == "Needs attention · 1 critical · 61 warnings · 1 notice"


async def test_a_long_sentence_is_whole_under_the_cursor() -> None:
    """In three lines at most; elsewhere it is cut."""
    widget = AttentionList(id="attention")
    long = item("mock", OPEN, sentence="mock: 38 of the last 40 predictions failed: 模型 " * 3 + "END")
    async with alone(widget, (80, 24)) as (app, pilot):
        widget.show([long, item("normal", OPEN, sentence="x" * 2_000)], now_s=75)
        await pilot.pause()
        app.check_widths()
        assert app.lines[2].rstrip().endswith("END")
        assert "⏎ open" in app.lines[3]
        await pilot.press("down")
        await pilot.pause()
        app.check_widths()
        assert "END" not in app.text
        assert app.lines[3].rstrip().endswith("…")


async def test_keys_act_on_the_item_under_the_cursor() -> None:
    """Those that it has; others go on to whoever else wants them."""
    widget = AttentionList(id="attention")
    async with alone(widget, (80, 24)) as (app, pilot):
        widget.show(ITEMS, now_s=75)
        await pilot.press("R", "enter", "r", "down", "R", "r", "down", "enter")
        await pilot.pause()
        sent = app.sent(AttentionList.Chosen)
        assert [(each.item.subject, each.act.key) for each in sent] == [
            ("mock", "enter"),
            ("mock", "r"),
            ("normal", "R"),
        ]


async def test_the_cursor_stays_on_its_item_and_in_sight() -> None:
    """While others come in above it, or more than fit."""
    widget = AttentionList(id="attention")
    async with alone(widget, (80, 24)) as (app, pilot):
        widget.show(ITEMS, now_s=75)
        await pilot.press("down")
        widget.show([item("new"), *ITEMS], now_s=76)
        assert widget.selected == ITEMS[1]
        await pilot.press("end")
        await pilot.pause()
        assert widget.selected == ITEMS[-1]
        assert ITEMS[-1].sentence in app.text
        widget.show(ITEMS[:2], now_s=77)
        assert widget.selected == ITEMS[1]
        await pilot.pause()
        assert "Mend normal." in app.text


async def test_it_says_how_many_there_is_no_room_for() -> None:
    """Above and below those that are shown; nothing where all are."""
    widget = AttentionList(id="attention")
    async with alone(widget, (100, 6)) as (_, pilot):
        widget.show(ITEMS[:5], now_s=75)
        await pilot.pause()
        assert str(widget.border_subtitle) == ""
        widget.show(ITEMS[:9], now_s=75)
        assert str(widget.border_subtitle) == "4 more below"
        await pilot.press("end")
        assert str(widget.border_subtitle) == "4 more above"


async def test_ages_go_on_where_nothing_else_changes() -> None:
    """Only their column is drawn anew."""
    widget = AttentionList(id="attention")
    async with alone(widget, (80, 24)) as (app, pilot):
        for now_s, age in ((75, "1m05s"), (75.9, "1m05s"), (76, "1m06s"), (3_700, "1h01m")):
            widget.show(ITEMS[:3], now_s=now_s)
            await pilot.pause()
            assert app.lines[0].rstrip().endswith(age)
            app.check_widths()


async def test_a_click_leads_where_its_key_leads() -> None:
    """On the item, wherever; twice is once. The wheel goes through the items."""
    widget = AttentionList(id="attention")
    async with alone(widget, (120, 36)) as (app, pilot):
        widget.show(ITEMS, now_s=75)
        await pilot.click(AttentionList, offset=(20, 2))
        assert widget.selected == ITEMS[1]
        await pilot.click(AttentionList, offset=(20, 1), times=2)
        await pilot.pause()
        assert chosen(app) == [(ITEMS[1].subject, "enter"), (ITEMS[1].subject, "enter")]
        await wheel(pilot, widget, down=True)
        assert widget.selected == ITEMS[2]
        await wheel(pilot, widget, down=False)
        assert widget.selected == ITEMS[1]


async def test_a_click_on_a_key_acts() -> None:
    """On each that is drawn, not on one that only its own click would bring."""
    widget = AttentionList(id="attention")
    async with alone(widget, (120, 36)) as (app, pilot):
        widget.show(ITEMS, now_s=75)
        await pilot.pause()
        place = app.lines[1].index("r retry all")
        app.set_focus(None)
        await pilot.pause()
        assert "r retry all" not in app.text
        await pilot.click(AttentionList, offset=(place, 1))
        await pilot.pause()
        assert chosen(app) == [("mock", "enter")]
        assert widget.has_focus
        for key in ("r retry all", "all", "⏎ open"):
            await pilot.click(AttentionList, offset=(app.lines[1].index(key), 1))
        await pilot.click(AttentionList, offset=(20, 1))
        await pilot.pause()
        assert chosen(app) == [("mock", each) for each in ("enter", "r", "r", "enter", "enter")]


def chosen(app: Alone) -> list[tuple[str, str]]:
    """What was told: the item and the key."""
    return [(each.item.subject, each.act.key) for each in app.sent(AttentionList.Chosen)]
