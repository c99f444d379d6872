"""Final loss and bytes of DDP communication hooks: none, fp16, PowerSGD, and block-ternary with error feedback.

Real gloo ranks, one process each; the same data, seeds and steps for all hooks, in random order. Bytes are those of the
tensors handed to collectives, counted where they are called. PowerSGD runs at the rank whose bytes are nearest to
those of the ternary hook. Wall time of the steps stands beside them, and that until the loss which all runs of a task
reach; over a slow link these are the interesting part: `--link 100mbit` runs both ranks in network namespaces with such
a link between them (as root). torch allows its bf16 hook with NCCL alone, so it is not among them.

Floors: ternary payload at most 1/16 of float32; final loss at equal bytes (within 25 %) below that of PowerSGD on both
tasks, over 5 seeds with t intervals of paired differences. Aim: the fastest of all to a target loss at 100 Mbit/s.

Writes benchmarks/results/<machine>/phases/comm_hooks.json (comm_hooks_<rate>.json over a link) with all losses, and
prints the table.
"""

import argparse
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torch.distributed as dist
from scipy import stats
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from benchmarks.phases.slow_link import address, slow_link
from benchmarks.phases.tasks import TASKS, Task
from hotloop.distributed import BlockTernaryHook
from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

_SMOOTHED = 20
RESULTS = Path(__file__).parents[1] / "results"


def _power_sgd(ddp: DistributedDataParallel, rank: int) -> None:
    state = powerSGD_hook.PowerSGDState(
        process_group=None, matrix_approximation_rank=rank, start_powerSGD_iter=2, min_compression_rate=0.5
    )
    ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)


HOOKS: dict[str, Callable[[DistributedDataParallel], None]] = {
    "none": lambda ddp: None,
    "fp16": lambda ddp: ddp.register_comm_hook(None, default_hooks.fp16_compress_hook),
    "powersgd 1": lambda ddp: _power_sgd(ddp, 1),
    "powersgd 2": lambda ddp: _power_sgd(ddp, 2),
    "powersgd 4": lambda ddp: _power_sgd(ddp, 4),
    "ternary": lambda ddp: ddp.register_comm_hook(None, BlockTernaryHook()),
}


@contextmanager
def bytes_counted() -> Iterator[list[int]]:
    """Bytes of the tensors that this rank hands to all_reduce and all_gather; DDP's own reduction calls neither."""
    sent, originals = [0], {name: getattr(dist, name) for name in ("all_reduce", "all_gather")}

    def counted(name: str) -> Callable:
        def call(first, *args, **kwargs):
            tensor = first if name == "all_reduce" else args[0]
            sent[0] += tensor.nbytes
            return originals[name](first, *args, **kwargs)

        return call

    for name in originals:
        setattr(dist, name, counted(name))
    try:
        yield sent
    finally:
        for name, original in originals.items():
            setattr(dist, name, original)


def trained(task: Task, hook: str, *, steps: int, seed: int) -> dict:
    """What one rank ended with after `steps` Adam steps."""
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(seed)
    ddp = DistributedDataParallel(task.build())
    HOOKS[hook](ddp)
    optimizer = torch.optim.Adam(ddp.parameters(), lr=task.lrs[0])
    generator = torch.Generator().manual_seed(1000 * seed + rank)
    inputs, targets = task.train
    losses = []
    with bytes_counted() as sent:
        began = time.perf_counter()
        for _ in range(steps):
            chosen = torch.randint(len(inputs), (max(1, task.batch_size // world),), generator=generator)
            loss = task.losses(ddp, inputs[chosen], targets[chosen]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        wall = time.perf_counter() - began
    num_bytes = sum(parameter.nbytes for parameter in ddp.parameters())
    return {
        "losses": torch.stack(losses).tolist(),
        "train_loss": task.train_loss(ddp.module),
        "test_score": task.test_score(ddp.module),
        "wall": wall,
        "bytes": sent[0] if hook != "none" else num_bytes * steps,
        "plain_bytes": num_bytes * steps,
    }


def one_rank(options: argparse.Namespace) -> None:
    """All runs of this rank; rank 0 writes them."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=options.address, rank=options.rank, world_size=options.world)
    runs = [(task, hook, seed) for task in options.tasks for hook in options.hooks for seed in range(options.seeds)]
    random.Random(0).shuffle(runs)
    tasks = {name: TASKS[name]() for name in options.tasks}
    rows = []
    for task, hook, seed in runs:
        result = trained(tasks[task], hook, steps=options.steps, seed=seed)
        rows.append({"task": task, "hook": hook, "seed": seed, **result})
        dist.barrier()
    if options.rank == 0:
        options.out.write_text(json.dumps(rows), encoding="utf-8")
    dist.destroy_process_group()


def smoothed(row: dict) -> np.ndarray:
    """Means of the losses of twenty steps that follow each other, or of all where there are fewer."""
    losses = np.array(row["losses"])
    size = min(_SMOOTHED, len(losses))
    return np.convolve(losses, np.full(size, 1 / size), mode="valid")


def target_of(task: str, rows: list[dict]) -> float:
    """The lowest loss that every run of a task, under any hook, has reached."""
    return max(float(smoothed(row).min()) for row in rows if row["task"] == task)


def seconds_to(target: float, row: dict) -> float:
    """Wall time of the steps until the smoothed loss first is at most `target`."""
    means = smoothed(row)
    step = int(np.argmax(means <= target)) + len(row["losses"]) - len(means) + 1
    return row["wall"] * step / len(row["losses"])


def table(rows: list[dict]) -> str:
    """Markdown: loss, bytes and wall time, and the paired difference of losses to the ternary hook."""
    lines = [
        "| task | hook | bytes, times fewer | train loss | above ternary [95 %] | test score | s | s to target |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task, hook in dict.fromkeys((row["task"], row["hook"]) for row in sorted(rows, key=lambda row: row["task"])):
        mine = sorted((r for r in rows if (r["task"], r["hook"]) == (task, hook)), key=lambda r: r["seed"])
        ours = sorted((r for r in rows if (r["task"], r["hook"]) == (task, "ternary")), key=lambda r: r["seed"])
        above = "-"
        if ours and hook != "ternary" and len(mine) > 1:
            gaps = [a["train_loss"] - b["train_loss"] for a, b in zip(mine, ours, strict=True)]
            low, high = stats.ttest_1samp(gaps, 0.0).confidence_interval(0.95)
            above = f"{np.mean(gaps):+.4f} [{low:+.4f}, {high:+.4f}]"
        ratio = np.mean([row["plain_bytes"] / row["bytes"] for row in mine])
        loss, score, wall = (np.mean([row[name] for row in mine]) for name in ("train_loss", "test_score", "wall"))
        reached = np.mean([seconds_to(target_of(task, rows), row) for row in mine])
        lines.append(
            f"| {task} | {hook} | {ratio:.1f} | {loss:.4f} | {above} | {score:.3f} | {wall:.1f} | {reached:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Start the ranks, gather, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["digits_mlp", "char_transformer"])
    parser.add_argument("--hooks", nargs="+", choices=HOOKS, default=list(HOOKS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--world", type=int, default=2)
    parser.add_argument("--link", metavar="RATE", help="bandwidth between both ranks, such as 100mbit")
    parser.add_argument("--delay", help="of that link, one way, such as 1ms; needs a kernel with netem")
    parser.add_argument("--address", help="init_method of another place; then give --rank as well")
    parser.add_argument("--rank", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.rank is not None:
        one_rank(options)
        return
    environment = record_environment(sys.argv, Path.cwd())
    slug = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    name = "comm_hooks" if options.link is None else f"comm_hooks_{options.link}"
    out = options.out or RESULTS / slug / "phases" / f"{name}.json"
    if options.link is not None and options.world != 2:
        raise SystemExit(f"--link joins two ranks, got --world {options.world}")
    plain = nullcontext([[]] * options.world)
    link = plain if options.link is None else slow_link(options.link, options.delay)
    with tempfile.TemporaryDirectory() as folder, link as places:
        meeting = f"file://{folder}/store" if options.link is None else address()
        raw = Path(folder) / "rows.json"
        command = [
            *(sys.executable, "-m", "benchmarks.phases.comm_hooks"),
            *("--tasks", *options.tasks, "--hooks", *options.hooks, "--steps", str(options.steps)),
            *("--seeds", str(options.seeds), "--world", str(options.world)),
            *("--address", meeting, "--out", str(raw)),
        ]
        ranks = [subprocess.Popen([*place, *command, "--rank", str(rank)]) for rank, place in enumerate(places)]
        if any(rank.wait() for rank in ranks):
            raise SystemExit("a rank failed; its traceback stands above")
        rows = json.loads(raw.read_text(encoding="utf-8"))
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "environment": dataclasses.asdict(environment),
        "options": vars(options) | {"out": str(out)},
        "runs": rows,
    }
    write_whole(out, json.dumps(document, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
