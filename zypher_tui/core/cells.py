"""Text measured and cut in terminal cells, by the same table that Textual draws with."""

from typing import Literal

from rich.cells import cell_len, get_character_cell_size

Align = Literal["left", "right"]


def width(text: str) -> int:
    """Cells that clean text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, cells: int) -> str:
    """The text if it fits ``cells``, else its start and ``…``; a wide character is never cut in half."""
    if cells <= 0:
        return ""
    if text.isascii():
        return text if len(text) <= cells else text[: cells - 1] + "…"
    used = 0
    fits = 0  # characters that leave room for the ellipsis
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > cells:
            return text[:fits] + "…"
        if used <= cells - 1:
            fits = index + 1
    return text


def cut_start(text: str, cells: int) -> str:
    """The text if it fits, else ``…`` and its end: for ids that begin alike."""
    if width(text) <= cells or cells <= 0:
        return text if cells > 0 else ""
    kept = text[1 - cells :] if cells > 1 else ""
    while width(kept) > cells - 1:
        kept = kept[1:]
    return "…" + kept


def fit(text: str, cells: int, align: Align = "left") -> str:
    """The text in exactly ``cells`` cells: cut or filled up with spaces."""
    shown = cut(text, cells)
    space = " " * (cells - width(shown))
    return shown + space if align == "left" else space + shown


def wrap(text: str, cells: int) -> list[str]:
    """The text broken after at most ``cells`` cells, at spaces where a line has one in its last third."""
    lines: list[str] = []
    start = 0
    while (end := _fitting(text, start, cells)) < len(text):
        end = max(end, start + 1)
        space = text.rfind(" ", start + (end - start) * 2 // 3, end + 1)
        cut_at = space if space > start else end
        lines.append(text[start:cut_at])
        start = cut_at + (cut_at == space)
    return [*lines, text[start:]]


def _fitting(text: str, start: int, cells: int) -> int:
    """Where the part that begins there and fits ends."""
    if text.isascii():
        return min(start + cells, len(text))
    used = 0
    for end in range(start, len(text)):
        used += get_character_cell_size(text[end])
        if used > cells:
            return end
    return len(text)
