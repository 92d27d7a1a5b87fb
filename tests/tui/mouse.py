"""What a pilot's mouse lacks."""

from textual import events
from textual.pilot import Pilot
from textual.widget import Widget


async def wheel(pilot: Pilot[None] | Pilot[int], widget: Widget, *, down: bool, times: int = 1) -> None:
    """Turn it over the middle of a widget."""
    x, y = widget.region.center
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    for _ in range(times):
        pilot.app.post_message(
            kind(
                widget=None, x=x, y=y, delta_x=0, delta_y=0, button=0, shift=False, meta=False, ctrl=False,
                screen_x=x, screen_y=y,
            )
        )  # fmt: skip
        await pilot.pause()
