"""Is the bound that the diagnosis printed ever beaten by what tune then measured?

    python benchmarks/diagnose/bounds.py --only tabular_mlp --budget 3m

Tunes the examples without hints and compares, for each change that was raced and for the plan that was confirmed, the
lower end of the measured interval with the bound. Writes benchmarks/results/<machine>/diagnose/bounds_<example>.json
with every figure; leaves with 1 where a bound was beaten.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hotloop.trial import Result
from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "measure"))
from simulate import machine  # noqa: E402

FOLDER = ROOT / "benchmarks" / "results" / machine() / "diagnose"
EXAMPLES = {
    "tabular_mlp": (),
    "char_gpt": (),
    "resnet_cifar_like": ("--width", "32"),
    "digits_cnn": (),
}


def tune(name: str, budget: str) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        call = [sys.executable, "-m", "hotloop.cli.app", "tune", f"examples/{name}.py", "--budget", budget]
        call += ["--out", str(out), "--history", f"sqlite:///{folder}/history.db", "--", *EXAMPLES[name]]
        done = subprocess.run(call, cwd=ROOT, check=False)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"tune of {name} left with {done.returncode}")
        return Result.from_data(json.loads((out / "result.json").read_text(encoding="utf-8")))


def rows(result: Result) -> list[dict[str, object]]:
    """One row for each race of a bounded change: the bound, what was measured, whether that beats it."""
    return [
        {
            "change": trial.change,
            "against": trial.against,
            "bound": trial.bound,
            "measured": [trial.speedup.low, trial.speedup.median, trial.speedup.high],
            "beaten": trial.speedup.low > trial.bound,
        }
        for trial in result.trials
        if trial.bound is not None and trial.speedup is not None
    ]


def keep(name: str, budget: str, result: Result) -> bool:
    found = rows(result)
    document = {
        "example": name,
        "command": f"python benchmarks/diagnose/bounds.py --only {name} --budget {budget}",
        "torch": result.environment.torch,
        "cpu": result.environment.cpu,
        "rows": found,
        "unbounded": sorted({t.change for t in result.trials if t.bound is None}),
        "confirmed": result.speedup and [result.speedup.low, result.speedup.median, result.speedup.high],
        "notes": list(result.notes),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"bounds_{name}.json"
    write_whole(target, json.dumps(document, indent=1) + "\n")
    for row in found:
        low, middle, high = row["measured"]
        word = "BEATEN" if row["beaten"] else "holds"
        print(
            f"{name}: {row['change']}: at most {row['bound']:.3f}, measured {middle:.3f} [{low:.3f}, {high:.3f}] {word}"
        )
    return not any(row["beaten"] for row in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=EXAMPLES)
    parser.add_argument("--budget", default="3m")
    args = parser.parse_args()
    names = [args.only] if args.only else list(EXAMPLES)
    if not all([keep(name, args.budget, tune(name, args.budget)) for name in names]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
