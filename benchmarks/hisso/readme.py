"""The README's table of episodic training beside psann, written from the stored side-by-side.

python benchmarks/hisso/readme.py
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "amd-epyc-2-cores" / "hisso" / "side_by_side.json"
BEGIN, END = "<!-- table: benchmarks/hisso/side_by_side.py -->", "<!-- end of side by side -->"
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def table(document: dict) -> str:
    """Markdown: one row for each network and schedule, a pair of columns for each version of the peer."""
    peers = sorted({comparison["peer"] for comparison in document["comparisons"]})
    equal = [c for c in document["comparisons"] if c["ours"] == c["theirs"]]
    cases = list(dict.fromkeys(c["ours"] for c in equal))
    found = {(c["ours"], c["peer"]): c["ratios"] for c in equal}
    head = ["Network and schedule", *(f"{what}, psann {peer}" for peer in peers for what in ("Loop", "Whole fit"))]
    rows = [head, [":---", *["---:"] * (len(head) - 1)]]
    rows += [[case, *(_ratio(found[case, peer][what]) for peer in peers for what in ("loop", "fit"))] for case in cases]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def rewritten(readme: str, document: dict) -> str:
    """The README with the table in its place."""
    return _BLOCK.sub(lambda _: f"{BEGIN}\n\n{table(document)}\n\n{END}", readme)


def _ratio(interval: dict) -> str:
    return f"{interval['median']:.2f}x [{interval['low']:.2f}, {interval['high']:.2f}]"


def main() -> None:
    """Rewrite the README in place."""
    path = ROOT / "README.md"
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    path.write_text(rewritten(path.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    main()
