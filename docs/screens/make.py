"""Draws the pictures in this folder from a stored result: `python docs/screens/make.py [RESULT.json]`.

rich draws the terminal at 80 and 120 columns (SVG), headless Chromium the page at 1300 and 400 pixels; Chromium also
makes PNGs of the former. CHROMIUM names another browser of its family.
"""

import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console, RenderableType

from hotloop.records.documents import read_result
from hotloop.report import WrittenFiles, live_view, render_page, summary

HERE = Path(__file__).resolve().parent
STORED = HERE.parents[1] / "benchmarks/results/intel-r-xeon-r-processor-2-cores/tune/digits_cnn.json"
WRITTEN = WrittenFiles(plan=Path("out/plan.toml"), page=Path("out/report.html"))
PAGES = ((1300, 2000), (400, 2600))  # width and height in pixels, from the top of the page


def main() -> None:
    """All pictures, over those of before."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    result = read_result(json.loads(source.read_text(encoding="utf-8")))
    title = result.command.removesuffix(" --")
    for columns in (80, 120):
        draw_terminal(f"tune_{columns}", summary(result, WRITTEN), columns=columns, title=title)
    half = len(result.trials) // 2
    running = live_view(
        "cheap changes: autocast(dtype=bfloat16), channels_last, fused_optimizer(implementation=fused)",
        result.trials[:half],
        elapsed=result.tuning_seconds * half / len(result.trials),
        budget=300.0,
    )
    draw_terminal("tune_running_80", running, columns=80, title=title)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(render_page(result), encoding="utf-8")
        for width, height in PAGES:
            photograph(page, HERE / f"page_{width}.png", width=width, height=height)


def draw_terminal(name: str, shown: RenderableType, *, columns: int, title: str) -> None:
    """`name`.svg and `name`.png: what a terminal of so many columns shows."""
    console = Console(width=columns, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(shown)
    svg = console.export_svg(title=title, unique_id=name)
    svg = re.sub(r"@font-face {.*?}\s*", "", svg, flags=re.DOTALL)  # rich would have them loaded from a server
    path = HERE / f"{name}.svg"
    path.write_text(svg, encoding="utf-8")
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    photograph(path, path.with_suffix(".png"), width=math.ceil(width), height=math.ceil(height))


def photograph(source: Path, target: Path, *, width: int, height: int) -> None:
    """A PNG of the top left corner of a file as Chromium shows it."""
    browser = os.environ.get("CHROMIUM", "chromium")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text")
    size, to = f"--window-size={width},{height}", f"--screenshot={target}"
    subprocess.run([browser, *options, size, to, source.as_uri()], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
