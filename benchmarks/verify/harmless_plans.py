"""Judges each harmless plan on each program: PASS, INCONCLUSIVE with its reason, never FAIL, never a crash.

python -m benchmarks.verify.harmless_plans [--programs scripts/gan.py] [--plans autocast]
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import TrainingProgram
from benchmarks.verify.forked import forked_workers
from benchmarks.verify.judged import Bench
from benchmarks.verify.program_list import HARMFUL, PROGRAMS
from hotloop.errors import HotloopError

RESULTS = Path(__file__).resolve().parents[1] / "results" / "verify" / "harmless_plans.json"
PLANS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "allocator": [{"name": "allocator", "library": "glibc"}],
    "fused_optimizer": [{"name": "fused_optimizer"}],
    "autocast": [{"name": "autocast"}],
    "channels_last": [{"name": "channels_last"}],
    "compile aot_eager": [{"name": "compile", "backend": "aot_eager"}],
    "data_loading": [{"name": "data_loading", "workers": 2}],
}


def judged(bench: Bench, program: TrainingProgram, plans: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """One row for each plan.

    "does not apply" where it changes nothing here, with its reason; "not harmless" where it must be refused, and is.
    """
    title = f"{Path(program.path).parent.name}/{program.title}"
    try:
        gate = bench.gate(program)
    except HotloopError as error:
        yield {"program": title, "plan": "nothing", "outcome": "DOES NOT TRAIN", "message": str(error)[:400]}
        return
    for name, tables in plans.items():
        reason = bench.refusal(tables)
        if reason is None:
            row = {"program": title, "plan": name, **bench.judge(gate, tables).to_data}
            if (program.title, name) in HARMFUL:
                row["outcome"] = "ACCEPTED, not harmless" if row["outcome"] == "PASS" else "not harmless"
            yield row
        else:
            yield {"program": title, "plan": name, "outcome": "does not apply", "message": reason[:300]}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts by outcome over the pairs in which the plan applies, and what was not a PASS."""
    counts = Counter(row["outcome"] for row in rows)
    applicable = [row for row in rows if row["outcome"] not in ("does not apply", "not harmless")]
    return {
        "programs": len({row["program"] for row in rows}),
        "plans": len({row["plan"] for row in rows}),
        "applicable_pairs": len(applicable),
        "pass_share": round(counts["PASS"] / max(1, len(applicable)), 4),
        "outcomes": dict(counts),
        "not_passed": [
            {key: row[key] for key in ("program", "plan", "outcome", "message")}
            for row in applicable
            if row["outcome"] != "PASS"
        ],
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows that were run now replace older ones."""
    done = {(row["program"], row["plan"]) for row in rows}
    kept = json.loads(path.read_text())["rows"] if path.is_file() else []
    rows = [row for row in kept if (row["program"], row["plan"]) not in done] + rows
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n")


def main() -> None:
    """Run what the arguments name, and write the table after each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--plans", nargs="*", default=list(PLANS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    plans = {name: tables for name, tables in PLANS.items() if name in args.plans}
    with forked_workers(), Bench() as bench:
        for program in PROGRAMS:
            if args.programs and not any(name in f"{program.path} {program.title}" for name in args.programs):
                continue
            rows = []
            for row in judged(bench, program, plans):
                rows.append(row)
                print(row["outcome"], row["program"], "|", row["plan"], "|", row["message"][:140], flush=True)
            write(args.out, rows)
    print(json.dumps(json.loads(args.out.read_text())["summary"], indent=1))


if __name__ == "__main__":
    main()
