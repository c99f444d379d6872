"""How much of what a long `hotloop tune` proves does a short one prove? And with a script that prepares data first?

    python benchmarks/tune/first_plan.py                     # four examples at 2 and 4 minutes, half an hour
    python benchmarks/tune/first_plan.py --only slow_start   # one row; this one prepares its data for half a minute
    python benchmarks/tune/first_plan.py --table             # what is stored, beside the long runs of bench_examples.py

Floor: at 4 minutes at least 90 % of the long run's speed-up, aim: at 2 minutes; for the script with much to prepare a
plan that is proven within 6 minutes. Writes benchmarks/results/<machine>/tune/first_plan/.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench_examples import EXAMPLES, RESULTS, ROOT, machine
from stored_run import stored_run

LONG = [name for name in EXAMPLES if name != "resnet_batch_128"]
BUDGETS = {**dict.fromkeys(LONG, ("2m", "4m")), "slow_start": ("6m",)}
FOLDER = RESULTS / machine() / "tune"


def measure(name: str, budget: str) -> None:
    """One run, which is stored."""
    if name == "slow_start":
        target, arguments = "benchmarks/tune/programs/slow_start.py", ()
    else:
        script, _, arguments = EXAMPLES[name]
        target = f"examples/{script}.py"
    words = ["tune", target, "--budget", budget]
    stored_run(words, arguments, cwd=ROOT, folder=FOLDER / "first_plan", name=f"{name}_{budget}")


def proven(path: Path) -> float | None:
    """The speed-up that a stored run has proven, 1 where it has proven none; None where it was not run."""
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["speedup"]["ratio"] if document["verdict"] == "PASS" else 1.0


def rows() -> list[str]:
    """A line for each run that is stored: what it has proven, and the share of the long run's."""
    lines: list[str] = []
    for name, budgets in BUDGETS.items():
        longest = proven(FOLDER / f"{name}.json")
        for budget in budgets:
            short = proven(FOLDER / "first_plan" / f"{name}_{budget}.json")
            if short is not None:
                share = f", {short / longest:.0%} of the {longest:.2f}x of its long run" if longest else ""
                lines.append(f"{name} at {budget}: {short:.2f}x{share}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=BUDGETS)
    parser.add_argument("--budget", choices=("2m", "4m", "6m"), help="this one alone")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        for name, budgets in BUDGETS.items():
            if given.only in (None, name):
                for budget in budgets if given.budget is None else {given.budget} & set(budgets):
                    measure(name, budget)
    print("\n".join(rows()))


if __name__ == "__main__":
    main()
