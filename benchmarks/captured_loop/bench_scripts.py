"""Plain scripts against the same scripts with their steps captured, by `hotloop prove`: interleaved, with intervals.

    python benchmarks/captured_loop/bench_scripts.py                      # all five, two minutes each
    python benchmarks/captured_loop/bench_scripts.py --only tiny_mlp --budget 30s --out /tmp/figures
    python benchmarks/captured_loop/bench_scripts.py --only tiny_mlp --with batched_fetch

The scripts are those of tests/programs/loops, with more epochs, so that they last as long as the comparison. Each
result.json is kept under benchmarks/results/<machine>/captured_loop/, with its raw blocks beside it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
sys.path.insert(0, str(ROOT / "benchmarks" / "tune"))
from simulate import machine  # noqa: E402
from stored_run import stored_run  # noqa: E402

PROGRAMS = ROOT / "tests" / "programs" / "loops"
LONGER = {  # what is written in the script, and what in its place
    "tiny_mlp": {"range(4)": "range(100_000)"},
    "autoencoder": {"epochs=3": "epochs=100_000"},
    "tabular": {"range(3)": "range(100_000)"},
    "ppo": {"update in range(4)": "update in range(100_000)", "update / 4)": "update / 100_000)"},
    "dqn": {"range(200)": "range(10_000_000)"},
}
FLOORS = {"tiny_mlp": 2.5, "ppo": 1.4, "dqn": 1.4, "autoencoder": 1.3, "tabular": 1.3}


def longer(name: str) -> str:
    source = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    for written, wanted in LONGER[name].items():
        if written not in source:
            raise SystemExit(f"{name}.py no longer says {written!r}; say in LONGER how it is made longer")
        source = source.replace(written, wanted, 1)
    return source


def prove(name: str, budget: str, folder: Path, *, others: list[str]) -> None:
    plan = "\n".join(f'[[transform]]\nname = "{transform}"' for transform in ("captured_loop", *others))
    title = "_".join((name, *others))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "plan.toml").write_text(f"{plan}\n", encoding="utf-8")
        (work / f"{name}.py").write_text(longer(name), encoding="utf-8")
        words = ["prove", f"{name}.py", "--plan", "plan.toml", "--budget", budget]
        document = stored_run(words, (), cwd=work, folder=folder, name=title)
        speedup = document.get("speedup") or {}
        print(f"{title}: {document['verdict']}, {speedup.get('low')} to {speedup.get('high')}, floor {FLOORS[name]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=LONGER)
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / machine() / "captured_loop")
    parser.add_argument("--with", dest="others", nargs="*", default=[], help="other transforms in the plan")
    given = parser.parse_args()
    for name in LONGER:
        if given.only in (None, name):
            prove(name, given.budget, given.out, others=given.others)


if __name__ == "__main__":
    main()
