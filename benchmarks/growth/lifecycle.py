"""What growing costs, stage by stage: eager against compiled, one loader against one for each network, host reads.

Two networks live the same life on the same digits, one eager and one compiled by architecture, epoch by epoch and in
random order: some epochs without a seed, in training, in blending, fossilized. An epoch is training and validation; the
clock is CPU time of the thread, wall time is kept too. Epochs in which something was compiled are told apart and left
out of the ratios; their number and their time are reported. Four networks as an environment step in the same way with
shared batches and with batches of their own. Each is repeated in fresh processes, over which intervals are t.

Host reads of an epoch are counted in the eager network, under torch's function mode.

Writes benchmarks/results/<machine>/growth/lifecycle.json with all samples. About a minute a process on one core, and
several more where inductor compiles with an empty cache.

python benchmarks/growth/lifecycle.py [--processes 5] [--epochs 4] [--backend inductor] [--out FILE]
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from scipy import stats
from torch.overrides import TorchFunctionMode

from hotloop.whole_file import write_whole
from hotloop.workloads.growth.actions import WAIT, GrowthAction
from hotloop.workloads.growth.build_training import build_compiler, build_training
from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import ClockOptions, GrowthOptions
from hotloop.workloads.growth.growth_training import GrowthTraining
from hotloop.workloads.growth.task import load_task
from hotloop.workloads.growth.vector_growth import VectorGrowth

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

RESULTS = Path(__file__).parents[1] / "results"
GERMINATE = GrowthAction(operation="germinate", slot="b0", blueprint="conv_heavy", schedule="sigmoid")
FOSSILIZE = GrowthAction(operation="fossilize", slot="b0")
STAGES = ("dormant", "training", "blending", "fossilized")
READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__")


def options_for(epochs: int, compile_by: str | None) -> GrowthOptions:
    """A life whose clock gives each stage so many epochs, and whose gates let everything through."""
    return GrowthOptions(
        epochs=max(100, 20 * epochs),
        slots=(0,),
        compile=compile_by,  # pyright: ignore[reportArgumentType]
        governor=None,
        gates=GateLimits(
            improvement=-100.0, training_epochs=epochs, gradient_ratio=0.0, blending_epochs=1, contribution=-100.0
        ),
        clock=ClockOptions(training_share=0.0, blending_epochs=max(epochs, 2), holding_epochs=100),
    )


class Life:
    """One network, and how many graphs were compiled for it."""

    def __init__(self, epochs: int, compile_by: str | None) -> None:
        options = options_for(epochs, compile_by)
        task = load_task("digits")
        self.compiler = build_compiler(task, options)
        self.training: GrowthTraining = build_training(task, options, seed=0, compiler=self.compiler)
        self._epochs = epochs

    @property
    def stage(self) -> str:
        return str(self.training.keeper.lives["b0"].stage)

    def epoch(self) -> dict[str, Any]:
        """One epoch: its stage, both clocks, graphs that were compiled in it."""
        stage, graphs = self.stage, 0 if self.compiler is None else self.compiler.report().graphs
        cpu, wall = time.thread_time(), time.perf_counter()
        self.training.epoch()
        sample = {"cpu": time.thread_time() - cpu, "wall": time.perf_counter() - wall}
        now = 0 if self.compiler is None else self.compiler.report().graphs
        return {"stage": stage, "graphs": now - graphs, **sample}

    def decide(self) -> None:
        """Germinate after the epochs without a seed; fossilize as soon as that may be."""
        if self.stage == "dormant" and self.training.epochs_done >= self._epochs:
            self.training.apply(GERMINATE)
        elif self.stage == "holding" and self.training.keeper.lives["b0"].epochs_in_stage:
            self.training.apply(FOSSILIZE)


class Reads(TorchFunctionMode):
    """Counts what reads the device by name."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(func, "__name__", "") in READS
        return func(*args, **(kwargs or {}))


def lives(epochs: int, backend: str, order: random.Random) -> tuple[dict[str, list[dict[str, Any]]], Any]:
    """Samples of both networks until each has been fossilized for so many epochs; what the compiler reports."""
    arms = {"eager": Life(epochs, None), "compiled": Life(epochs, backend)}
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    while sum(sample["stage"] == "fossilized" for sample in samples["eager"]) < epochs:
        for name in order.sample(list(arms), len(arms)):
            samples[name].append(arms[name].epoch())
            arms[name].decide()
    with Reads() as reads:
        arms["eager"].training.epoch()
    compiler = arms["compiled"].compiler
    assert compiler is not None
    report = compiler.report()
    return samples, {
        "architectures": report.architectures,
        "graphs": report.graphs,
        "most_graphs": report.most_graphs,
        "eager_calls": report.eager_calls,
        "host_reads_per_epoch": reads.count,
    }


def environments(steps: int, order: random.Random) -> dict[str, list[dict[str, float]]]:
    """Seconds of steps of four networks, with shared batches and without."""
    arms: dict[str, VectorGrowth] = {}
    for name, shares in (("shared", True), ("own", False)):
        arms[name] = VectorGrowth(load_task("digits"), options_for(steps + 2, None), num_envs=4, shares_batches=shares)
        arms[name].reset()
    wait = torch.full((4,), next(iter(arms.values())).space.number(WAIT))
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in arms}
    for _ in range(steps):
        for name in order.sample(list(arms), len(arms)):
            cpu, wall = time.thread_time(), time.perf_counter()
            arms[name].step(wait)
            samples[name].append({"cpu": time.thread_time() - cpu, "wall": time.perf_counter() - wall})
    return samples


def interval(logs: list[float]) -> str:
    """The ratio with its 95 % interval over processes."""
    mean = math.exp(fmean(logs))
    if len(logs) < 2:
        return f"{mean:.3f}x (one process: no interval)"
    margin = stats.t.ppf(0.975, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return f"{mean:.3f}x [{math.exp(fmean(logs) - margin):.3f}, {math.exp(fmean(logs) + margin):.3f}]"


def summary(processes: list[dict[str, Any]]) -> list[str]:
    """A line a stage, and one for the loader."""
    lines: list[str] = []
    for stage in STAGES:
        logs, seconds = [], []
        for process in processes:
            steady = {
                name: [s["cpu"] for s in samples if s["stage"] == stage and not s["graphs"]]
                for name, samples in process["lives"].items()
            }
            if all(steady.values()):
                logs.append(math.log(median(steady["eager"]) / median(steady["compiled"])))
                seconds.append(median(steady["eager"]))
        if logs:
            lines.append(f"{stage}: eager {median(seconds):.3f} s an epoch, eager / compiled {interval(logs)}")
        else:
            lines.append(f"{stage}: every epoch compiled something; give more --epochs")
    logs = [
        math.log(median(s["cpu"] for s in p["loaders"]["own"]) / median(s["cpu"] for s in p["loaders"]["shared"]))
        for p in processes
    ]
    lines.append(f"four networks, own batches / shared batches: {interval(logs)}")
    compiling = [sum(s["wall"] for s in p["lives"]["compiled"] if s["graphs"]) for p in processes]
    lines.append(f"epochs that compiled took {median(compiling):.1f} s in all; {processes[0]['compiler']}")
    return lines


def main() -> None:
    """Measure in fresh processes, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4, help="of each stage")
    parser.add_argument("--backend", default="inductor", choices=["inductor", "aot_eager", "eager"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker is not None:
        torch.set_num_threads(1)
        order = random.Random(asked.worker)
        samples, compiler = lives(asked.epochs, asked.backend, order)
        loaders = environments(2 * asked.epochs, order)
        write_whole(asked.out, json.dumps({"lives": samples, "compiler": compiler, "loaders": loaders}))
        return
    processes: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for number in range(asked.processes):
            out = Path(folder) / "samples.json"
            call = [sys.executable, __file__, "--worker", str(number), "--out", str(out)]
            subprocess.run([*call, "--epochs", str(asked.epochs), "--backend", asked.backend], check=True)
            processes.append(json.loads(out.read_text(encoding="utf-8")))
            print(f"process {number + 1} of {asked.processes}", file=sys.stderr)
    out = asked.out or RESULTS / machine() / "growth" / "lifecycle.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = summary(processes)
    report = {"backend": asked.backend, "torch": torch.__version__, "processes": processes, "summary": lines}
    write_whole(out, json.dumps(report, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
