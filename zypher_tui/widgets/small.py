"""What stands on a terminal that is too small for anything else."""

import textwrap

from textual.strip import Strip

from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, line

LEAST_COLUMNS = 60
LEAST_ROWS = 15


class TooSmall(LineWidget):
    """How small it is, and how small it may be; the style sheet shows it."""

    def line_at(self, y: int) -> Strip:
        """A line of the sentence, as many as it needs."""
        width, height = self.size
        text = f"Zypher needs {LEAST_COLUMNS}x{LEAST_ROWS} cells; this terminal has {width}x{height}. q quits."
        lines = textwrap.wrap(text, max(width - 2, 1))
        return line([(" " + lines[y], palette.PLAIN)] if y < len(lines) else [], width)
