"""Pictures of the dashboard, made by the real program: Textual headless → SVG → PNG by headless Chromium.

    python docs/pictures/make.py --api-url http://127.0.0.1:8080 [--redis-url …] [--size 120x36 …] [--out DIR]
    python docs/pictures/make.py --demo            every state of the simulated system, no server needed

A real system is only looked at: nothing is started and nothing is sent to it.
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
from zypher_tui.app import Dashboard, openers_of
from zypher_tui.demo import STATES, demo_dashboard

SIZES = ("80x24", "120x36", "200x60")
DIALOGS = {"detail": ("down",) * 8 + ("enter",), "help": ("question_mark",)}
"""Keys that open what is not a state of the system."""
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


def png_of(svg: str, path: Path) -> None:
    """Draw an SVG with headless Chromium. Fonts are this machine's: those the SVG names need a network."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", FONT)
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
    """Make the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="the simulated system, in every state")
    parser.add_argument("--api-url", default="http://127.0.0.1:8080")
    parser.add_argument("--redis-url")
    parser.add_argument("--size", action="append", choices=SIZES, help="default: all three")
    parser.add_argument(
        "--state", action="append", choices=(*STATES, *DIALOGS), help="of the simulated system; default: all"
    )
    parser.add_argument("--watch", type=float, default=10, metavar="SECONDS", help="how long to watch a real system")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--svg", action="store_true", help="keep the SVG too")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for size in options.size or SIZES:
        columns, rows = (int(number) for number in size.split("x"))
        for state in (options.state or (*STATES, *DIALOGS)) if options.demo else ("dashboard",):
            dashboard = (
                demo_dashboard("live" if state in DIALOGS else state)
                if options.demo
                else Dashboard(openers_of(options.api_url, options.redis_url), api_url=options.api_url)
            )
            keys = DIALOGS.get(state, ())
            svg = asyncio.run(
                svg_of(dashboard, (columns, rows), keys=keys, watch_s=0 if options.demo else options.watch)
            )
            path = options.out / f"{state}-{size}.png"
            if options.svg:
                path.with_suffix(".svg").write_text(svg, encoding="utf-8")
            png_of(svg, path)
            sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
