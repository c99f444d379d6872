"""Overhead of training loops on a step that costs almost nothing: ours beside those of other libraries.

Linear(8, 8), batch 8, mean squared error, AdamW, one thread. All loops get the same list of batches, are switched to as
little as their options allow (no logging, progress bar, checkpoints or clipping), and take turns in random order within
one process. Several fresh processes do so, one after another: intervals are over processes. A turn is timed from the
moment its first counted batch is fetched to the moment the batch after its last one is, so that set-up before the first
step does not count. The clock is CPU time of the thread; wall time is kept too.

Writes benchmarks/results/<machine>/bench_loop.json with all samples and prints the table.
"""

import argparse
import dataclasses
import json
import logging
import os
import random
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from hotloop.compile.capture import CapturedStep
from hotloop.machine.environment import record_environment
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.whole_file import write_whole
from hotloop.workload import Job

WARMUP_STEPS = 20
RESULTS = Path(__file__).parents[1] / "results"
BATCHES = [(torch.randn(8, 8), torch.randn(8, 8)) for _ in range(64)]


class Feed:
    """A pass over batches that reads the clocks at the first counted fetch and at the one after the last step."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.start = self.end = (0.0, 0.0)

    def __len__(self) -> int:
        return WARMUP_STEPS + self._steps + 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(len(self)):
            if number == WARMUP_STEPS:
                self.start = time.thread_time(), time.perf_counter()
            if number == WARMUP_STEPS + self._steps:
                self.end = time.thread_time(), time.perf_counter()
            yield BATCHES[number % len(BATCHES)]

    def microseconds(self) -> dict[str, float]:
        """CPU and wall time of one step."""
        cpu, wall = ((end - start) / self._steps * 1e6 for start, end in zip(self.start, self.end, strict=True))
        return {"cpu": cpu, "wall": wall}


Arm = Callable[[Feed], None]


def raw(*, fused: bool) -> Arm:
    """The loop that everybody writes."""
    model = nn.Linear(8, 8)
    optimizer = torch.optim.AdamW(model.parameters(), **({"fused": True} if fused else {}))

    def run(feed: Feed) -> None:
        for inputs, targets in feed:
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


def ours(*, captured: bool) -> Arm:
    """hotloop's loop, with deferred metrics; its step eager or captured."""
    model = nn.Linear(8, 8)
    job = Job(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters()),
        batches=BATCHES,
        strategy=Supervised(criterion=nn.functional.mse_loss),
    )
    if captured:
        job.step = CapturedStep(job)
        train(job, steps=10)

    def run(feed: Feed) -> None:
        job.batches = feed
        train(job, epochs=1)

    return run


def with_accelerate() -> Arm:
    """The raw loop with accelerate's prepared parts and its backward."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    linear = nn.Linear(8, 8)
    model, optimizer = accelerator.prepare(linear, torch.optim.AdamW(linear.parameters()))

    def run(feed: Feed) -> None:
        for inputs, targets in feed:
            loss = nn.functional.mse_loss(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()

    return run


def with_skorch() -> Arm:
    """skorch without callbacks, one partial_fit a turn."""
    from skorch import NeuralNet

    class Given:
        """An iterator_train that ignores the dataset and passes the feed on."""

        feed: Feed

        def __init__(self, dataset: object, **_: object) -> None:
            pass

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            return iter(Given.feed)

    net = NeuralNet(
        nn.Linear,
        module__in_features=8,
        module__out_features=8,
        criterion=nn.MSELoss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        iterator_train=Given,
        train_split=None,
        callbacks="disable",
        max_epochs=1,
        verbose=0,
        warm_start=True,
    ).initialize()
    samples = np.zeros((8, 8), dtype=np.float32)

    def run(feed: Feed) -> None:
        Given.feed = feed
        net.partial_fit(samples, samples)

    return run


def with_lightning(folder: str) -> Arm:
    """Lightning with everything optional switched off; a new Trainer each turn."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            return nn.functional.mse_loss(self.linear(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters())

    module = Module()

    def run(feed: Feed) -> None:
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(module, feed)

    return run


def with_transformers(folder: str) -> Arm:
    """The transformers Trainer without logging, saving, clipping or schedule; a new Trainer each turn."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"loss": nn.functional.mse_loss(self.linear(inputs), labels)}

    class Named:
        """The feed as the dicts that this Trainer expects."""

        def __init__(self, feed: Feed) -> None:
            self._feed = feed

        def __len__(self) -> int:
            return len(self._feed)

        def __iter__(self) -> Iterator[dict[str, Tensor]]:
            return ({"inputs": inputs, "labels": targets} for inputs, targets in self._feed)

    class Given(Trainer):
        def get_train_dataloader(self) -> Named:
            return self.given

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters())

    def run(feed: Feed) -> None:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=len(feed),
            max_grad_norm=0.0,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        trainer = Given(model, arguments, train_dataset=BATCHES, optimizers=(optimizer, schedule))
        trainer.given = Named(feed)
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    return run


def take_samples(arms: dict[str, Arm], *, rounds: int, steps: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """Microseconds a step of each turn; every round gives each arm one turn, in random order."""
    order, samples = random.Random(seed), {name: list[dict[str, float]]() for name in arms}
    for number in range(rounds + 1):
        for name in order.sample(list(arms), len(arms)):
            feed = Feed(steps)
            arms[name](feed)
            if number > 0:
                samples[name].append(feed.microseconds())
        print(f"round {number} of {rounds}", file=sys.stderr)
    return samples


def interval(effects: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % t interval, one effect a process."""
    if len(set(effects)) == 1:  # the raw loop against itself
        return effects[0], effects[0], effects[0]
    bounds = stats.ttest_1samp(effects, 0.0).confidence_interval(0.95)
    return float(np.mean(effects)), float(bounds.low), float(bounds.high)


def table(processes: list[dict[str, list[dict[str, float]]]]) -> str:
    """Markdown: microseconds a step, those above the raw loop, and the ratio to it; of a process the median round."""
    lines = [
        "| loop | us a step | above raw [95 %] | ratio to raw [95 %] | wall, us |",
        "|---|---|---|---|---|",
    ]
    for name in processes[0]:
        pairs = [(_of(samples, name, "cpu"), _of(samples, "raw", "cpu")) for samples in processes]
        above = interval([float(np.median(mine - raw_)) for mine, raw_ in pairs])
        ratio = interval([float(np.median(mine / raw_)) for mine, raw_ in pairs])
        wall = median(float(np.median(_of(samples, name, "wall"))) for samples in processes)
        lines.append(
            f"| {name} | {median(float(np.median(mine)) for mine, _ in pairs):.1f} "
            f"| {above[0]:+.1f} [{above[1]:+.1f}, {above[2]:+.1f}] "
            f"| {ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}] | {wall:.1f} |"
        )
    return "\n".join(lines)


def _of(samples: dict[str, list[dict[str, float]]], name: str, clock: str) -> np.ndarray:
    return np.array([turn[clock] for turn in samples[name]])


def measure(*, rounds: int, steps: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """The samples of this process."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with TemporaryDirectory() as folder:
        arms = {
            "raw": raw(fused=False),
            "raw again": raw(fused=False),
            "raw, fused AdamW": raw(fused=True),
            "hotloop": ours(captured=False),
            "hotloop, captured step": ours(captured=True),
            "accelerate": with_accelerate(),
            "skorch": with_skorch(),
            "Lightning": with_lightning(folder),
            "transformers Trainer": with_transformers(folder),
        }
        return take_samples(arms, rounds=rounds, steps=steps, seed=seed)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=12, help="turns of each loop in each process")
    parser.add_argument("--steps", type=int, default=400, help="counted steps in each turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        samples = measure(rounds=options.rounds, steps=options.steps, seed=options.seed)
        options.one.write_text(json.dumps(samples), encoding="utf-8")
        return
    environment = record_environment(sys.argv, Path.cwd())
    slug = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    out = options.out or RESULTS / slug / "bench_loop.json"
    processes = []
    with TemporaryDirectory() as folder:
        for number in range(options.processes):
            one = Path(folder) / f"{number}.json"
            call = [sys.executable, __file__, "--one", str(one), "--rounds", str(options.rounds)]
            call += ["--steps", str(options.steps), "--seed", str(options.seed + number)]
            subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            processes.append(json.loads(one.read_text(encoding="utf-8")))
            print(f"process {number + 1} of {options.processes}", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": 2, "steps": options.steps, "environment": dataclasses.asdict(environment), "us": processes}
    write_whole(out, json.dumps(document, indent=1) + "\n")
    print(table(processes))


if __name__ == "__main__":
    main()
