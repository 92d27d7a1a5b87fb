"""Pictures of the dashboard, made by the real program: Textual headless → SVG, and → PNG by headless Chromium.

    python docs/pictures/make.py                   every screen of the simulated system, in every state, at every size:
                                                   docs/pictures/screens/*.svg, and docs/screens.md that shows them
    python docs/pictures/make.py --png --out DIR   the same as PNG, to look at
    python docs/pictures/make.py --pane overview --state live --size 120x36

No server is needed, and nothing is sent anywhere.
"""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.demo_states import STATES, demo_dashboard
from zypher_tui.sources.demo.troubles import TROUBLES

SIZES = ("80x24", "120x36", "200x60")
PANES = {
    "overview": ("1",),
    "predictions": ("2",),
    "prediction": ("2", *("down",) * 8, "enter"),
    "workers": ("3",),
    "models": ("4", "down", "down", "down"),
    "dead-letters": ("5",),
    "load": ("6",),
    "help": ("question_mark",),
}
"""Each screen, by the keys that open it."""
SHOWN = ("live", "empty", "api-down", "redis-down", "paused", "replay")
SCREENS = Path(__file__).parent / "screens"
PAGE = Path(__file__).parents[1] / "screens.md"
FONT = "'Fira Code', 'DejaVu Sans Mono', monospace"
SCALE = 1
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
]  # fmt: skip


async def svg_of(dashboard: Dashboard, size: tuple[int, int], *, keys: tuple[str, ...] = (), watch_s: float = 0) -> str:
    """The screen as SVG; a live one once it has figures and has drawn them over a while."""
    async with dashboard.run_test(size=size) as pilot:
        if watch_s:
            await wait_until(lambda: dashboard.store.view(dashboard.now_s).has_figures, timeout_s=20)
            await asyncio.sleep(watch_s)
        await pilot.press(*keys)
        await pilot.pause(0.1)
        return dashboard.export_screenshot(title="zypher tui")


def without_fonts(svg: str) -> str:
    """With the fonts of the machine that shows it: those that Textual names need a network."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", FONT)


def png_of(svg: str, path: Path) -> None:
    """Draw an SVG with headless Chromium. Fonts are this machine's: those the SVG names need a network."""
    svg = without_fonts(svg)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box, "the SVG has no viewBox"
    width, height = (int(float(number)) + 1 for number in box.groups())
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is needed to draw the pictures: apt install chromium fonts-firacode")
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "picture.html"
        page.write_text(f"<style>*{{margin:0}}svg{{display:block;width:{width}px}}</style>{svg}", encoding="utf-8")
        subprocess.run(
            [
                chromium, *FLAGS, f"--user-data-dir={scratch}/profile", f"--window-size={width},{height}",
                f"--force-device-scale-factor={SCALE}", f"--screenshot={path}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Make the pictures that the command line asks for; the page, if that is all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pane", action="append", choices=PANES, help="default: all")
    parser.add_argument("--state", action="append", choices=STATES, help=f"default: {', '.join(SHOWN)}")
    parser.add_argument("--size", action="append", choices=SIZES, help="default: all three")
    parser.add_argument("--trouble", action="append", choices=TROUBLES, help="what is shown while there are no figures")
    parser.add_argument("--out", type=Path, default=SCREENS)
    parser.add_argument("--png", action="store_true", help="draw them with Chromium")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    is_all = not (options.pane or options.state or options.trouble)
    states = [(pane, state) for pane in options.pane or PANES for state in options.state or SHOWN]
    wanted = [] if options.trouble and not (options.pane or options.state) else states
    wanted += [("trouble", trouble) for trouble in options.trouble or (TROUBLES if is_all else ())]
    for pane, state in wanted:
        for size in options.size or SIZES:
            columns, rows = (int(number) for number in size.split("x"))
            svg = asyncio.run(svg_of(demo_dashboard(state), (columns, rows), keys=PANES.get(pane, ())))
            path = options.out / f"{pane}-{state}-{size}.{'png' if options.png else 'svg'}"
            if options.png:
                png_of(svg, path)
            else:
                path.write_text(without_fonts(svg), encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    if is_all and not (options.size or options.png):
        PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """The screens in words and pictures."""
    lines = [
        "# Every screen of the dashboard",
        "",
        "Made by `just screens` from the simulated system (`zypher tui --demo`).",
    ]
    for pane in PANES:
        lines += ["", f"## {pane.replace('-', ' ').capitalize()}"]
        for state in SHOWN:
            links = ", ".join(f"[{size}](pictures/screens/{pane}-{state}-{size}.svg)" for size in SIZES)
            lines += ["", f"{state.replace('-', ' ')}: {links}"]
            if state == "live" or pane == "overview":
                lines += ["", f"![{pane}, {state}](pictures/screens/{pane}-{state}-120x36.svg)"]
    lines += ["", "## As long as there is nothing to show", "", "What is wrong, since when, and the way out."]
    for trouble in TROUBLES:
        links = ", ".join(f"[{size}](pictures/screens/trouble-{trouble}-{size}.svg)" for size in SIZES)
        lines += ["", f"{trouble.replace('-', ' ')}: {links}"]
        lines += ["", f"![{trouble}](pictures/screens/trouble-{trouble}-80x24.svg)"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
