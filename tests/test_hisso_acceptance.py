"""The acceptance page of episodic training is complete, names tests that exist, and has the figures of its files."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "hisso_acceptance.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "amd-epyc-2-cores" / "hisso"
ROWS = [
    *(f"A{number}" for number in range(1, 14)),
    *("S1", "S1a", "S1b", "S2", "S2a", "S2b", "S3", "S3a", "S3b"),
    *("0.1", "0.2", "0.3", "1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.2c", "2.3"),
    *("3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "4.1", "4.1c", "4.2", "4.3", "4.4", "4.5"),
    *("5.1", "5.2", "6.1", "6.2", "6.3", "O1", "O2", "O3"),
]
DEFECTS = [str(number) for number in range(1, 19)]


def table(heading):
    """Cells of each line of the table below a heading, its first two lines left out."""
    (section,) = (part for part in PAGE.split("\n## ") if part.startswith(heading))
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def load(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def interval(found, median):
    return f"{found[median]:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


@pytest.mark.parametrize(("heading", "numbers"), [("Rows", ROWS), ("Defects", DEFECTS)])
def test_every_row_and_every_defect_is_there_once(heading, numbers):
    assert [row[0] for row in table(heading)] == numbers


def test_every_row_names_a_test_or_a_file_and_every_defect_a_test():
    bare = [row[0] for row in table("Rows") if not re.search(r"`[\w./-]+\.(py|json|md)(::\w+)?`", row[2]) or not row[3]]
    assert bare == []
    assert [row[0] for row in table("Defects") if "::test_" not in row[2]] == []


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
    assert len(named) > 100
    defined = {
        path: {node.name for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body if hasattr(node, "name")}
        for path in {path for path, _ in named}
    }
    assert [f"{path}::{test}" for path, test in sorted(named) if test not in defined[path]] == []


def test_every_file_that_is_named_exists():
    named = set(re.findall(r"`((?:benchmarks|docs|tests)/[\w./-]+)`", PAGE))
    assert {"benchmarks/hisso/compare.py", "docs/hisso.md"} <= named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_ratios_to_the_peer_are_those_of_the_file():
    expected = [
        [
            *(found["peer"], found["ours"], found["theirs"]),
            *(interval(found["ratios"][time], "median") for time in ("loop", "fit")),
            "-" if found["largest_reward_difference"] is None else f"{found['largest_reward_difference']:.1e}",
        ]
        for found in load("side_by_side.json")["comparisons"]
    ]
    assert table("Figures: equal work") == expected


def test_figures_of_growth_and_knobs_are_those_of_the_files():
    growth, text = load("scaling.json"), " ".join(PAGE.split())
    for figure in ("episodes_exponent", "length_exponent"):
        assert f"to the power of {abs(growth[figure]):.2f}" in text
    first, last = (growth["peak_bytes_by_length"][steps] / 1e6 for steps in ("1000", "1000000"))
    assert f"peak memory goes from {first:.0f} to {last:.0f} MB" in text
    knobs = load("knobs.json")["results"]
    assert table("Figures: knobs") == [[f"`{name}`", interval(found, "ratio")] for name, found in knobs.items()]
    (clipping,) = (row[3] for row in table("Rows") if row[0] == "O2")
    assert all(interval(knobs[name], "ratio") in clipping for name in ("clip_norm None", "clip_every 4"))
