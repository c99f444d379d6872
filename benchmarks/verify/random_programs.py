"""Generated programs run plain and under plans to their ends, compared outside of hotloop; then the gates' verdicts.

None may crash hotloop, and none may end elsewhere than the plain run and be accepted.

python -m benchmarks.verify.random_programs [--seeds 0 200]
python -m benchmarks.verify.random_programs --captured aten [--seeds 0 200]    # the steps of each as one graph
"""

import argparse
import json
import math
import random
import re
import runpy
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import TrainingProgram
from benchmarks.verify.forked import forked_workers, run_forked
from benchmarks.verify.generated_programs import GeneratedProgram, generate
from benchmarks.verify.judged import Bench
from hotloop.compile.loop.load import LoopLoader
from hotloop.deploy import launch
from hotloop.worker.spec import workload_data
from hotloop.workload import parse_workload

RESULTS = Path(__file__).resolve().parents[1] / "results" / "verify" / "random_programs.json"
PLANS: dict[str, list[dict[str, Any]]] = {
    "fused": [{"name": "fused_optimizer"}],
    "foreach": [{"name": "fused_optimizer", "implementation": "foreach"}],
    "channels_last": [{"name": "channels_last"}],
    "aot_eager": [{"name": "compile", "backend": "aot_eager"}],
    "autocast": [{"name": "autocast"}],
}
CAPTURED = {"captured_loop": [{"name": "captured_loop"}]}
_FUSED = ("SGD", "Adam", "AdamW", "Adagrad")  # those that torch has a fused kernel for
_FOR_EACH = 2  # plans for each program, drawn by its seed
_STEPS = 14  # watched by the gates
_NOISE = {"autocast": 2.0**-9}  # relative noise on the first weights that stands for the rounding of a plan
_FP32_NOISE = 2.0**-18
_FACTOR = 6.0
_FLOORS = {"autocast": 0.05}  # of the distance that weights move, and of losses
_FP32_FLOOR = 2e-3


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a run wrote: losses, weights in one vector less the first ones, and what each weight is stored as."""

    losses: list[float]
    moved: Any
    kinds: list[str]


class Runs:
    """The runs of one program in a folder of their own, each in its own process."""

    def __init__(self, program: GeneratedProgram, folder: Path) -> None:
        self.program = program
        self._folder = folder
        self._made = 0
        (folder / "program.py").write_text(program.source)

    def plain(self, *options: str) -> Ended | str:
        """The end of the program as it is, or what it raised."""
        return self._run(lambda out: lambda: _run_plain(self._folder, out, options))

    def planned(self, tables: list[dict[str, Any]]) -> Ended | str:
        """Its end under `hotloop run`."""
        return self._run(lambda out: lambda: _run_planned(self._folder, out, tables))

    def _run(self, target: Callable[[str], Callable[[], None]]) -> Ended | str:
        self._made += 1
        out = self._folder / f"out{self._made}.pt"
        error = run_forked(target(out.name), folder=self._folder, arguments=())
        if error is not None:
            return error
        if b"hotloop" in out.read_bytes():
            return "what it saved holds something of hotloop's"
        return self._ended(out)

    def _ended(self, out: Path) -> Ended:
        import torch

        kept = torch.load(out, weights_only=True)
        start, final = kept["start"], kept["final"]
        moved = [
            (value - start[name] if name in start else value).double().flatten()
            for name, value in final.items()
            if value.is_floating_point()
        ]
        kinds = [f"{name} {value.dtype} {tuple(value.shape)} {value.stride()}" for name, value in final.items()]
        return Ended(losses=kept["losses"], moved=torch.cat(moved), kinds=kinds)


def _run_plain(folder: Path, out: str, options: tuple[str, ...]) -> None:
    sys.argv = ["program.py", out, *options]
    sys.path.insert(0, str(folder))
    runpy.run_path("program.py", run_name="__main__")


def _run_planned(folder: Path, out: str, tables: list[dict[str, Any]]) -> None:
    workload = parse_workload("program.py", (out,), folder=folder)
    spec = {"workload": workload_data(workload), "plan": tables, "proof": str(folder / "none"), "is_strict": False}
    sys.argv = ["launch", json.dumps(spec)]
    launch.main()


def apart(ours: Ended, theirs: Ended) -> float:
    """The larger of two relative distances: of how far all weights went, and of the losses (root mean square)."""
    if len(ours.losses) != len(theirs.losses) or ours.kinds != theirs.kinds:
        return math.inf
    weights = float((ours.moved - theirs.moved).norm() / theirs.moved.norm())
    size = math.fsum(abs(loss) for loss in theirs.losses) / len(theirs.losses)
    gaps = [(mine - other) / size for mine, other in zip(ours.losses, theirs.losses, strict=True)]
    found = max(weights, math.sqrt(math.fsum(gap * gap for gap in gaps) / len(gaps)))
    return found if math.isfinite(found) else math.inf


def limit(runs: Runs, plain: Ended, plan: str) -> float:
    """How far a plan may end from the plain run: a multiple of what noise of its precision does, over a floor.

    Where modules draw random numbers that a plan may draw in another order, other random numbers are noise too.
    """
    noise = str(_NOISE.get(plan, _FP32_NOISE))
    others = [runs.plain(noise)]
    if runs.program.draws and plan == "aot_eager":
        others.append(runs.plain("0", "12"))
    gaps = [apart(other, plain) for other in others if isinstance(other, Ended)]
    return _FACTOR * max(gaps) + _FLOORS.get(plan, _FP32_FLOOR)


def _may_apply(plan: str, program: GeneratedProgram) -> bool:
    if plan == "channels_last":
        return "nn.Conv2d" in program.source
    return plan != "fused" or any(
        f"torch.optim.{kind}(" in program.source for kind in ("SGD", "Adam", "AdamW", "Adagrad")
    )


def judged(bench: Bench, seed: int, *, captured: bool = False) -> Iterator[dict[str, Any]]:
    """One row for each plan of a generated program: two of the usual ones, or its steps captured."""
    program = generate(seed)
    known = CAPTURED if captured else PLANS
    possible = [name for name in known if _may_apply(name, program)]
    plans = random.Random(seed).sample(possible, min(_FOR_EACH, len(possible)))
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(program, Path(folder))
        plain = runs.plain()
        if isinstance(plain, str):
            yield {
                "program": program.title,
                "plan": "",
                "outcome": "DOES NOT TRAIN",
                "message": _without_folders(plain),
            }
            return
        gate = bench.gate(TrainingProgram(path=f"{folder}/program.py", arguments=("out.pt",), steps=_STEPS))
        for name in plans:
            found = runs.planned(known[name])
            error = found if isinstance(found, str) else ""
            gap = math.inf if isinstance(found, str) else apart(found, plain)
            most = limit(runs, plain, name) if gap > 0 else _FP32_FLOOR
            verdict = bench.judge(gate, known[name])
            yield {
                "program": program.title,
                "plan": name,
                "apart": gap if math.isfinite(gap) else "inf",
                "limit": most,
                "is_wrong": not gap <= most,
                "outcome": verdict.outcome,
                "message": _without_folders(error or verdict.message),
            }


def _without_folders(text: str) -> str:
    """A traceback without the folders of this machine."""
    return re.sub(r"(?:/[\w.\-]+)+/(?=[\w.\-]+\.py)", "", text)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts, and each row in which something is wrong."""
    ran = [row for row in rows if row["plan"]]
    return {
        "programs": len({row["program"] for row in rows}),
        "pairs": len(ran),
        "do_not_train": [row for row in rows if not row["plan"]],
        "outcomes": dict(Counter(row["outcome"] for row in ran)),
        "ended_elsewhere": sum(row["is_wrong"] for row in ran),
        "wrong_and_accepted": [row for row in ran if row["is_wrong"] and row["outcome"] == "PASS"],
        "crashed": [row for row in ran if row["outcome"] == "CRASH"],
        "refused_though_right": [row for row in ran if not row["is_wrong"] and row["outcome"] == "FAIL"],
    }


def main() -> None:
    """Run the seeds that the arguments name, and write the table every ten programs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 200))
    parser.add_argument(
        "--captured", choices=["aten", "inductor"], help="their steps as one graph, run so, in a file of its own"
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.captured:
        LoopLoader.__init__.__kwdefaults__["backend"] = args.captured  # of all processes that are forked from here
        args.out = args.out or RESULTS.with_stem(f"random_programs_captured_{args.captured}")
    args.out = args.out or RESULTS
    rows: list[dict[str, Any]] = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    with forked_workers(), Bench() as bench:
        for seed in range(*args.seeds):
            rows = [row for row in rows if not row["program"].startswith(f"{seed}: ")]
            for row in judged(bench, seed, captured=bool(args.captured)):
                rows.append(row)
                print({key: row.get(key) for key in ("program", "plan", "apart", "limit", "is_wrong", "outcome")})
                if row["outcome"] != "PASS":
                    print("   ", row["message"][-300:].replace("\n", " "))
            sys.stdout.flush()
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n")
    print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main()
