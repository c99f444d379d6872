"""Plain scripts against the same scripts with their steps captured, by `hotloop prove`: interleaved, with intervals.

    python benchmarks/captured_loop/bench_scripts.py                      # all five, two minutes each
    python benchmarks/captured_loop/bench_scripts.py --only tiny_mlp --budget 30s --out /tmp/figures
    python benchmarks/captured_loop/bench_scripts.py --only tiny_mlp --with batched_fetch

The scripts are those of tests/programs/loops, with more epochs, so that they last as long as the comparison. Each
result.json is kept under benchmarks/results/<machine>/captured_loop/, with its raw blocks beside it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
from simulate import machine  # noqa: E402

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
        call = [sys.executable, "-m", "hotloop.cli.app", "prove", f"{name}.py", "--plan", "plan.toml"]
        call += ["--budget", budget, "--out", "out", "--history", f"sqlite:///{work}/history.db"]
        done = subprocess.run(call, cwd=work, check=False)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"prove of {name} left with {done.returncode}")
        document = json.loads((work / "out" / "result.json").read_text(encoding="utf-8"))
        document["environment"].update(argv=[], allocators={})
        document.update(evidence="", command=f"hotloop prove {name}.py --plan plan.toml --budget {budget}")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{title}.json", json.dumps(document, indent=1) + "\n")
        lines = (work / "out" / "evidence" / "samples.jsonl").read_text(encoding="utf-8")
        write_whole(folder / f"{title}.samples.jsonl", rounded(lines))
        speedup = document.get("speedup") or {}
        print(f"{title}: {document['verdict']}, {speedup.get('low')} to {speedup.get('high')}, floor {FLOORS[name]}")


def rounded(lines: str) -> str:
    """Samples with times to a tenth of a microsecond, without losses: a third of the size."""
    made: list[str] = []
    for line in lines.splitlines():
        block = {name: value for name, value in json.loads(line).items() if name != "losses"}
        for clock in ("wall", "cpu", "cuda"):
            block[clock] = [round(seconds, 7) for seconds in block.get(clock, [])]
        made.append(json.dumps(block))
    return "\n".join(made) + "\n"


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
