"""``ProgressLine``: how far a prediction is, in one line of a terminal that is written anew as it changes."""

import shutil
import sys
from typing import TextIO

from zypher_jobs.contracts.prediction import Prediction, Status

_BAR_CHARS = 20
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """For ``on_progress``. Where the output (stderr unless another one is given) is no terminal it says nothing."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = sys.stderr if output is None else output

    def __call__(self, prediction: Prediction) -> None:
        """Show it; of one that has ended nothing stays."""
        if not self._output.isatty():
            return
        text = "" if prediction.status.is_terminal else line(prediction)[: shutil.get_terminal_size().columns - 1]
        self._output.write(_CLEAR + text)
        self._output.flush()


def line(prediction: Prediction) -> str:
    """What it is doing, in one line without control characters."""
    words = [prediction.model, prediction.prediction_id[:8], prediction.status]
    if prediction.status is Status.QUEUED:
        if prediction.queue_position is not None:
            words.append(f"{prediction.queue_position:,} ahead")
        if prediction.estimated_wait_ms is not None:
            words.append(f"about {prediction.estimated_wait_ms / 1000:,.0f} s")
    elif prediction.progress is not None:
        done = round(_BAR_CHARS * min(1.0, max(0.0, prediction.progress)))
        words += ["[" + "#" * done + "." * (_BAR_CHARS - done) + "]", f"{prediction.progress:.0%}"]
    if prediction.progress_message:
        words.append(prediction.progress_message)
    return "".join(char if char.isprintable() else " " for char in "  ".join(words))
