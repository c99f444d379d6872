"""The README's table of episodic training beside psann, written from the stored side-by-side.

python benchmarks/hisso/readme.py
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
import readme_block  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
COMMAND, MEASURED_ON = "benchmarks/hisso/side_by_side.py", "amd-epyc-2-cores"


def table(measured_on: str) -> str:
    """Markdown: one row for each network and schedule, a pair of columns for each version of the peer."""
    document = json.loads((RESULTS / measured_on / "hisso" / "side_by_side.json").read_text(encoding="utf-8"))
    peers = sorted({comparison["peer"] for comparison in document["comparisons"]})
    equal = [c for c in document["comparisons"] if c["ours"] == c["theirs"]]
    cases = list(dict.fromkeys(c["ours"] for c in equal))
    found = {(c["ours"], c["peer"]): c["ratios"] for c in equal}
    head = ["Network and schedule", *(f"{what}, psann {peer}" for peer in peers for what in ("Loop", "Whole fit"))]
    rows = [head, [":---", *["---:"] * (len(head) - 1)]]
    rows += [[case, *(_ratio(found[case, peer][what]) for peer in peers for what in ("loop", "fit"))] for case in cases]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _ratio(interval: dict) -> str:
    return f"{interval['median']:.2f}x [{interval['low']:.2f}, {interval['high']:.2f}]"


def main() -> None:
    """Rewrite the README in place."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    text = readme_block.rewritten(text, COMMAND, measured_on=MEASURED_ON, table=table(MEASURED_ON))
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
