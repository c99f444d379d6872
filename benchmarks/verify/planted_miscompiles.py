"""Compilers that rewrite the graphs of ten models: what computes otherwise must be refused, what computes the same not.

Each rule replaces operators in the graph that torch.compile has traced, forward or backward, and the gates judge the
program under that compiler. A rule that finds nothing to replace in a model does not act there, and is not counted.

python -m benchmarks.verify.planted_miscompiles [--models gpt resnet] [--rules gelu]
"""

import argparse
import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import TrainingProgram
from benchmarks.verify.forked import forked_workers
from benchmarks.verify.judged import Bench

RESULTS = Path(__file__).resolve().parents[1] / "results" / "verify" / "planted_miscompiles.json"
MODELS = ("gpt", "bert", "vit", "resnet", "convnext", "lstm", "gat", "tabular", "policy", "autoencoder")
_STEPS = 12


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of what acted, of faults and of harmless rules; those that came out wrong in full."""
    acted = [row for row in rows if row["acted"]]
    kinds = {kind: [row for row in acted if row["kind"] == kind] for kind in ("fault", "harmless")}
    return {
        "models": len({row["model"] for row in acted}),
        **{
            kind: {"rules": len({row["rule"] for row in found}), "pairs": len(found), **_counts(found)}
            for kind, found in kinds.items()
        },
        "accepted_faults": [row for row in kinds["fault"] if row["outcome"] == "PASS"],
        "harmless_not_accepted": [row for row in kinds["harmless"] if row["outcome"] != "PASS"],
    }


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(row["outcome"] for row in rows))


def main() -> None:
    """Judge what the arguments name, and write the table after each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--rules", nargs="*", default=[], help="parts of names")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    with forked_workers(), Bench() as bench:
        planted = importlib.import_module("hotloop_planted.rewritten_graph")
        rules = [("fault", name) for name in planted.FAULTS] + [("harmless", name) for name in planted.HARMLESS]
        wanted = [(k, n) for k, n in rules if not args.rules or any(part in n for part in args.rules)]
        for model in args.models:
            rows = [row for row in rows if (row["model"], row["rule"]) not in {(model, name) for _, name in wanted}]
            gate = bench.gate(TrainingProgram(path="programs/ten_models.py", arguments=(model,), steps=_STEPS))
            for kind, name in wanted:
                judged = bench.judge(gate, [{"name": "rewritten_graph", "how": name}])
                rows.append({"model": model, "rule": name, "kind": kind, **judged.to_data})
                if judged.acted and (judged.outcome == "PASS") is (kind == "fault"):
                    print(f"{model}, {kind} {name!r}: {judged.outcome} {judged.message[:200]}", flush=True)
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n")
            print(model, json.dumps({kind: summary(rows)[kind] for kind in ("fault", "harmless")}), flush=True)


if __name__ == "__main__":
    main()
