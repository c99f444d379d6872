"""`hotloop run` of each program to its end under each plan: weights and saved files against those of the plain run.

What was saved is loaded in a process that cannot import hotloop.

python -m benchmarks.verify.run_to_end [--programs gan.py] [--plans autocast]
"""

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import TESTS
from benchmarks.verify.forked import preload, run_forked
from benchmarks.verify.program_list import HARMFUL
from hotloop.deploy import launch
from hotloop.worker.spec import workload_data
from hotloop.workload import parse_workload

RESULTS = Path(__file__).resolve().parents[1] / "results" / "verify" / "run_to_end.json"
KEEPER = Path(__file__).with_name("keeps_weights.py")
PLANS: dict[str, list[dict[str, Any]]] = {
    "fused_optimizer": [{"name": "fused_optimizer"}],
    "foreach": [{"name": "fused_optimizer", "implementation": "foreach"}],
    "autocast": [{"name": "autocast"}],
    "channels_last": [{"name": "channels_last"}],
    "compile aot_eager": [{"name": "compile", "backend": "aot_eager"}],
    "data_loading": [{"name": "data_loading", "workers": 2}],
    "batched_fetch": [{"name": "batched_fetch"}],
    "cached_samples": [{"name": "cached_samples"}],
    "prefetch_thread": [{"name": "prefetch_thread"}],
}
_ONLY_LOADERS = ("data_loading", "batched_fetch", "cached_samples", "prefetch_thread")
_NEVER = 10**9
PROGRAMS = {  # each with the steps after which it is ended, where it has no end of its own
    "checkpointing.py": _NEVER,
    "checkpointing_stochastic_depth.py": _NEVER,
    "complex.py": _NEVER,
    "ctc_inf.py 3": _NEVER,
    "dataclass_out.py": _NEVER,
    "ema.py": _NEVER,
    "gan.py": 120,
    "init_after_call.py": _NEVER,
    "kfold.py": _NEVER,
    "lazy.py": _NEVER,
    "manual_sgd.py": _NEVER,
    "raw_tensors.py": _NEVER,
    "resume_layout.py 30 save": _NEVER,
    "save_whole.py": _NEVER,
    "stale_workers.py": _NEVER,
    "usual.py --n 640 --epochs 3": _NEVER,
    "averaged.py": _NEVER,
    "distill.py": _NEVER,
    "loops.py folds": _NEVER,
    "loops.py folds 2": _NEVER,
    "loops.py lazy": _NEVER,
    "loops.py iterable": _NEVER,
    "loops.py break": _NEVER,
    "loops.py gan": _NEVER,
    "momentum_encoder.py": _NEVER,
    "physics.py": _NEVER,
    "truncated_bptt.py": _NEVER,
    "unfreezing.py": _NEVER,
    "wgan_gp.py": _NEVER,
}
_WITH_LOADERS = ("averaged.py", "distill.py", "loops.py", "stale_workers.py", "unfreezing.py", "usual.py")
# torch.compile does not do gradients of gradients.
_LEFT_OUT = {*HARMFUL, ("physics.py", "compile aot_eager"), ("wgan_gp.py", "compile aot_eager")}
_FACTOR, _FLOORS = 6.0, {"autocast": 0.05}
_NOISE = {"autocast": 2.0**-9}
_LOADED = """
import json, sys, torch

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hotloop":
            raise ImportError("hotloop is blocked")

sys.meta_path.insert(0, Blocked())

def flat(kept, path=""):
    if isinstance(kept, torch.Tensor):
        yield path, kept
    elif isinstance(kept, dict):
        for key, value in kept.items():
            yield from flat(value, f"{path}.{key}")
    elif isinstance(kept, (list, tuple)):
        for index, value in enumerate(kept):
            yield from flat(value, f"{path}.{index}")

def moved(path):
    kept = torch.load(path, weights_only=True)
    first = kept.get("first", {})
    found = dict(flat(kept.get("final", kept)))
    zero = {f".{name}": value for name, value in first.items()}
    kinds = [f"{name} {value.dtype} {tuple(value.shape)} {value.stride()}" for name, value in found.items()]
    vectors = [
        torch.view_as_real(v).flatten().double() if v.is_complex() else v.flatten().double()
        for v in (value - zero[name] if name in zero else value for name, value in found.items()
                  if value.is_floating_point() or value.is_complex())
    ]
    return torch.cat(vectors), kinds

ours, theirs = (moved(path) for path in sys.argv[1:])
gap = float((ours[0] - theirs[0]).norm() / theirs[0].norm()) if ours[1] == theirs[1] else None
other = "" if ours[1] == theirs[1] else str([pair for pair in zip(ours[1], theirs[1]) if pair[0] != pair[1]][:3])
print(json.dumps({"gap": gap, "other": other}))
"""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run in a folder of its own, and what it raised, if anything."""

    folder: Path
    error: str | None


def run(home: Path, line: str, steps: int, *, noise: float = 0.0, plan: list[dict[str, Any]] | None = None) -> Finished:
    """One run in a fresh folder below `home`, plain or by `hotloop run`."""
    folder = Path(tempfile.mkdtemp(dir=home))
    name, *arguments = line.split()
    shutil.copy(KEEPER, folder)
    shutil.copy(TESTS / "cases" / name, folder)
    words = ["final.pt", str(steps), str(noise), name, *arguments]

    def plain() -> None:
        sys.argv = [KEEPER.name, *words]
        runpy.run_path(KEEPER.name, run_name="__main__")

    def planned() -> None:
        workload = parse_workload(KEEPER.name, tuple(words), folder=folder)
        spec = {"workload": workload_data(workload), "plan": plan, "proof": str(folder / "none"), "is_strict": False}
        sys.argv = ["launch", json.dumps(spec)]
        launch.main()

    error = run_forked(plain if plan is None else planned, folder=folder, arguments=())
    return Finished(folder=folder, error=error)


def compared(ours: Path, theirs: Path) -> dict[str, Any]:
    """How far what two files hold is apart, worked out by a process that cannot import hotloop."""
    call = [sys.executable, "-I", "-c", _LOADED, str(ours), str(theirs)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=300)
    return json.loads(done.stdout) if done.returncode == 0 else {"gap": None, "other": done.stderr[-500:]}


def rows_of(home: Path, line: str, steps: int, plans: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """One row for each plan and file that the plain run left."""
    plain = run(home, line, steps)
    if plain.error is not None:
        yield {"program": line, "plan": "none", "file": "", "outcome": "does not run plainly", "message": plain.error}
        return
    limits: dict[float, float] = {}
    for name, tables in plans.items():
        if (name in _ONLY_LOADERS and not line.startswith(_WITH_LOADERS)) or (line, name) in _LEFT_OUT:
            continue
        noise = _NOISE.get(name, 2.0**-18)
        if noise not in limits:
            noisy = run(home, line, steps, noise=noise)
            gap = compared(noisy.folder / "final.pt", plain.folder / "final.pt")["gap"]
            limits[noise] = _FACTOR * (gap or 0.0) + _FLOORS.get(name, 2e-3)
        done = run(home, line, steps, plan=tables)
        for path in sorted(plain.folder.glob("*.pt")):
            if not path.name.startswith("whole"):  # whole modules are loaded by tests/cases/test_reach.py
                yield {"program": line, "plan": name, "file": path.name, **_row(done, path, limits[noise])}


def _row(done: Finished, plain: Path, most: float) -> dict[str, Any]:
    ours = done.folder / plain.name
    if done.error is not None or not ours.is_file():
        return {"outcome": "crashed", "gap": None, "limit": most, "message": done.error or "it left no such file"}
    found = compared(ours, plain)
    names_us = b"hotloop" in ours.read_bytes()
    holds = found["gap"] is not None and found["gap"] <= most and not names_us
    message = "it holds something of hotloop's" if names_us else found["other"]
    return {"outcome": "same" if holds else "other", "gap": found["gap"], "limit": most, "message": message}


def main() -> None:
    """Run what the arguments name, and write the table after each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--plans", nargs="*", default=list(PLANS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    preload()
    rows: list[dict[str, Any]] = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    plans = {name: tables for name, tables in PLANS.items() if name in args.plans}
    for line, steps in PROGRAMS.items():
        if args.programs and not any(name in line for name in args.programs):
            continue
        rows = [row for row in rows if row["program"] != line]
        with tempfile.TemporaryDirectory() as home:
            for row in rows_of(Path(home), line, steps, plans):
                rows.append(row)
                print({key: value for key, value in row.items() if value}, flush=True)
        summary = {"programs": len({row["program"] for row in rows}), **Counter(row["outcome"] for row in rows)}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"summary": summary, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
