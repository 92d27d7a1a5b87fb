"""An editor for JSON in which nothing stands that a terminal would obey."""

from textual.document._document import EditResult
from textual.document._edit import Edit
from textual.widgets import TextArea

from zypher_tui.core.values import harmless_json


class JsonArea(TextArea):
    """What is typed or pasted is made harmless: it stands there as JSON's own escapes, and means the same."""

    def edit(self, edit: Edit) -> EditResult:
        """See ``TextArea.edit``."""
        edit.text = harmless_json(edit.text.replace("\r\n", "\n").replace("\t", "  "))
        return super().edit(edit)
