"""Plants each fault in each program, alone and under bf16 autocast; none that acts may PASS.

python -m benchmarks.verify.planted_faults [--programs usual.py gan.py] [--faults other_setting]
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import FAULTS, PROGRAMS, SAME_FUNCTION, Fault, TrainingProgram
from benchmarks.verify.forked import forked_workers
from benchmarks.verify.judged import Bench, Judged

RESULTS = Path(__file__).resolve().parents[1] / "results" / "verify" / "planted_faults.json"
AUTOCAST = {"name": "autocast"}
_REASON = "it does not act in the watched steps"


def planted(bench: Bench, program: TrainingProgram, faults: tuple[Fault, ...]) -> Iterator[dict[str, Any]]:
    """One row for each fault, alone and under bf16, as the table has it."""
    gate = bench.gate(program)
    for fault in faults:
        alone = bench.judge(gate, [fault.table])
        if (program.title, fault.title) in SAME_FUNCTION:
            alone = replace(alone, acted=False)
        yield _row(program, fault, "alone", alone)
        if alone.acted and not fault.not_under_bf16:
            both = bench.judge(gate, [fault.table, AUTOCAST])
            yield _row(program, fault, "under bf16", replace(both, acted=True))  # a refusal in fp32 needs no other run


def _row(program: TrainingProgram, fault: Fault, where: str, judged: Judged) -> dict[str, Any]:
    return {"program": program.title, "fault": fault.title, "where": where, **judged.to_data}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of what acted, by outcome; what was accepted or crashed, in full."""
    applicable = [row for row in rows if row["acted"]]
    idle = [row for row in rows if not row["acted"]]
    outcomes = Counter(row["outcome"] for row in applicable)
    return {
        "faults": len({row["fault"] for row in applicable}),
        "programs": len({row["program"] for row in rows}),
        "applicable_pairs": len(applicable),
        "refused": outcomes["FAIL"],
        "inconclusive": outcomes["INCONCLUSIVE"],
        "accepted": outcomes["PASS"],
        "crashed": outcomes["CRASH"],
        "not_applicable": {"reason": _REASON, "pairs": len(idle), **Counter(row["outcome"] for row in idle)},
        "accepted_rows": [row for row in applicable if row["outcome"] == "PASS"],
        "crashed_rows": [row for row in rows if row["outcome"] == "CRASH"],
        "refused_though_idle": [row for row in idle if row["outcome"] == "FAIL"],
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows of programs that were run now replace older ones."""
    done = {(row["program"], row["fault"], row["where"]) for row in rows}
    kept = json.loads(path.read_text())["rows"] if path.is_file() else []
    rows = [row for row in kept if (row["program"], row["fault"], row["where"]) not in done] + rows
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n")


def main() -> None:
    """Run what the arguments name, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--faults", nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    programs = [p for p in PROGRAMS if not args.programs or any(name in p.title for name in args.programs)]
    faults = tuple(f for f in FAULTS if not args.faults or any(name in f.title for name in args.faults))
    with forked_workers(), Bench() as bench:
        for program in programs:
            rows: list[dict[str, Any]] = []
            for row in planted(bench, program, faults):
                rows.append(row)
                write(args.out, rows)
                mark = "!!" if row["acted"] and row["outcome"] not in ("FAIL", "INCONCLUSIVE") else "  "
                acted = "acted" if row["acted"] else "idle "
                print(mark, acted, row["outcome"], row["program"], "|", row["fault"], row["where"], "|", end=" ")
                print(row["message"][:110].replace("\n", " "), row["seconds"], flush=True)
    print(json.dumps({k: v for k, v in json.loads(args.out.read_text())["summary"].items() if "rows" not in k}))


if __name__ == "__main__":
    main()
