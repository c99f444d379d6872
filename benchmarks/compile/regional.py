"""The whole model compiled against its repeated block alone: seconds of the first step, and of later ones.

    python benchmarks/compile/regional.py [--times 2] [--rounds 20] [--out FILE]

First steps run in fresh processes with empty caches, in turn, after a small function was compiled, which loads the
compiler; CPU seconds of the process and its compilers, so that ratios above 1 say how much less the block costs. Steps
take turns in random order in one process with one thread: there above 1 says how much faster the block alone is (below
1: slower). Writes benchmarks/results/<machine>/compile/regional.json, or `--out`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
sys.path.insert(0, str(Path(__file__).parent))
from simulate import machine
from towers import TOWERS, training
from turns import finish, options, take_turns

from hotloop.transform import Plan
from hotloop.transforms.compile import Compile

RESULTS = Path(__file__).parents[1] / "results"
ARMS = {"whole": Compile(), "repeated block": Compile(layers="repeated")}
FIRST_STEP = """
import resource, sys
sys.path.insert(0, {folder!r})
from regional import ARMS, Plan, training
def seconds():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
import torch
run = training({name!r}, Plan((ARMS[{arm!r}],)))
torch.compile(lambda x: x.square().sum())(torch.ones(64, requires_grad=True)).backward()
began = seconds()
run.step()
print("first step", seconds() - began)
"""


def first_step(name: str, arm: str) -> float:
    """CPU seconds of the first step in a fresh process with empty caches."""
    code = FIRST_STEP.format(folder=str(Path(__file__).parent), name=name, arm=arm)
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": folder, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    return float(done.stdout.rsplit("first step", 1)[1])


def compile_times(name: str, times: int) -> dict[str, Any]:
    """First steps of both arms in turn."""
    samples: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for turn in range(times):
        for arm in list(ARMS)[:: 1 if turn % 2 == 0 else -1]:
            samples[arm].append(first_step(name, arm))
    whole, block = samples.values()
    ratios = [a / b for a, b in zip(whole, block, strict=True)]
    ratio = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {"samples": samples, "ratios": {"repeated block": ratio}}


def main() -> None:
    """Measure all models and write the samples."""
    parser = options(__doc__ or "", rounds=20)
    parser.add_argument("--times", type=int, default=2, help="first steps of each arm")
    parser.add_argument("--models", nargs="+", choices=list(TOWERS), default=list(TOWERS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name in given.models:
        found[f"{name}: first step"] = compile_times(name, given.times)
        variants = {arm: training(name, Plan((change,))).step for arm, change in ARMS.items()}
        found[f"{name}: step"] = take_turns(variants, rounds=given.rounds, calls=dict.fromkeys(variants, 1))
    finish(found, given.out or RESULTS / machine() / "compile" / "regional.json")


if __name__ == "__main__":
    main()
