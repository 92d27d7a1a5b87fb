"""Figures as people read them, short enough for a column. ``—`` is "not known"."""

from datetime import datetime

UNKNOWN = "—"


def count(number: int | None) -> str:
    """``0``, ``1,234``, ``99,999``, ``123k``, ``1.2M``: at most six cells."""
    if number is None:
        return UNKNOWN
    return f"{number:,}" if number < 100_000 else _scaled(number)


def rate(per_second: float | None) -> str:
    """``0``, ``0.4``, ``12.3``, ``1,234``, ``123k``."""
    if per_second is None:
        return UNKNOWN
    if per_second < 0.05:
        return "0" if per_second == 0 else "<0.1"
    return f"{per_second:.1f}" if per_second < 99.95 else count(round(per_second))


def share(fraction: float | None) -> str:
    """``0 %``, ``0.4 %``, ``12 %``."""
    if fraction is None:
        return UNKNOWN
    percent = fraction * 100
    if percent == 0 or percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.1 else "<0.1 %"


def progress(fraction: float, message: str | None) -> str:
    """``40 %``, ``40 % · tokenizing``."""
    return f"{share(fraction)} · {message}" if message else share(fraction)


def duration_ms(ms: float | None) -> str:
    """``0.3 ms``, ``84 ms``, ``1.2 s``, ``4m05s``, ``3h02m``, ``2d03h``: at most six cells below 100 days."""
    if ms is None:
        return UNKNOWN
    if ms <= 0:
        return "0 ms"
    if ms < 9.95:
        return f"{ms:.1f}".removesuffix(".0") + " ms" if ms >= 0.05 else "<0.1ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    return age_s(ms / 1000)


def age_s(seconds: float | None) -> str:
    """Whole seconds: ``0 s``, ``59 s``, ``4m05s``, ``3h02m``, ``2d03h``."""
    if seconds is None:
        return UNKNOWN
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    if whole < 8_640_000:
        return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"
    return f"{whole // 86_400} d"


def size_bytes(number: int) -> str:
    """``512 B``, ``1.5 kB``, ``84 MB``, ``1.2 GB``."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def clock(at: datetime | None) -> str:
    """``23:14:05``, local time."""
    return at.astimezone().strftime("%H:%M:%S") if at else UNKNOWN


def instant(at: datetime | None) -> str:
    """``2026-11-03 23:14:05.123 +0000``, local time."""
    if at is None:
        return UNKNOWN
    local = at.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03} {local:%z}"


def _scaled(number: float) -> str:
    for unit in ("k", "M", "G", "T"):
        number /= 1000
        if number < 999.5 or unit == "T":
            return f"{number:.1f}{unit}" if number < 9.95 else f"{number:.0f}{unit}"
    raise AssertionError("unreachable")
