"""The search for the fastest size of microbatches against an exhaustive sweep over all sizes, on three recipes.

    python benchmarks/memory/batch_size.py [--models NAME ...] [--searches 3] [--room 2GiB] [--out FILE]

Both measure blocks in one process that is fresh for each; the sweep has as many blocks of every size as the search has
of a size that it looks at to the end, in random order round by round. The searches are judged by the sweep's figures:
how much slower the size is that was found than the sweep's best one, and the share of the sweep's time that it took, in
the blocks alone and with the start of the process. With --room, sizes that need more are found by trying. Writes
benchmarks/results/<machine>/memory/batch_size.json, or --out.
"""

import argparse
import math
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hotloop.machine.environment import record_environment
from hotloop.machine.memory import free_host_memory
from hotloop.machine.sizes import parse_size
from hotloop.memory.batch_size import ROUNDS, BatchSize, BatchSizeSearch, sizes_of
from hotloop.memory.find_batch_size import BatchTrials
from hotloop.train.strategies.supervised import Supervised
from hotloop.worker.process import Settings
from hotloop.workload import Job, Recipe

RESULTS = Path(__file__).parents[1] / "results"
MODELS = ("transformer", "wide_mlp", "group_norm_convnet")


def transformer(seed: int) -> Job:
    """Two encoder layers over 64 sequences of 32 tokens."""
    torch.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    model = nn.Sequential(nn.Embedding(100, 64), encoder, nn.Flatten(), nn.Linear(32 * 64, 10))
    return _job(model, torch.randint(0, 100, (64, 32)))


def wide_mlp(seed: int) -> Job:
    """Three wide layers over 256 rows: activations of the whole batch do not stay in the cache."""
    torch.manual_seed(seed)
    layers = [nn.Linear(128, 1024), nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 10)]
    return _job(nn.Sequential(*layers), torch.randn(256, 128))


def group_norm_convnet(seed: int) -> Job:
    """Three convolutions over 48 images of 3 x 32 x 32."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(4, after), nn.ReLU()]
    return _job(nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 10)), torch.randn(48, 3, 32, 32))


def _job(model: nn.Module, inputs: torch.Tensor) -> Job:
    labels = torch.randint(0, 10, (len(inputs),))
    return Job(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        batches=[(inputs, labels)],
        strategy=Supervised(criterion=nn.functional.cross_entropy),
    )


def sweep(trials: BatchTrials, order: random.Random) -> BatchSize:
    """Every size that fits, as often as a search measures one that it looks at to the end."""
    global_batch = trials.global_batch
    seconds: dict[int, list[float]] = {size: [] for size in sizes_of(global_batch)}
    too_large: list[int] = []
    for _ in range(ROUNDS):
        turns = list(seconds)
        order.shuffle(turns)
        for size in turns:
            found = trials.block(size)
            if found is None:
                too_large.append(size)
                del seconds[size]
            else:
                seconds[size].append(found)
    measured = {size: tuple(found) for size, found in seconds.items()}
    best = BatchSize(global_batch=global_batch, fastest=global_batch, seconds=measured, too_large=tuple(too_large))
    fastest = max(measured, key=best.throughput)
    return BatchSize(global_batch=global_batch, fastest=fastest, seconds=measured, too_large=tuple(too_large))


def row(name: str, *, searches: int, room: int) -> dict[str, Any]:
    """Searches before and after the sweep, so that what drifts is in neither alone."""
    recipe = Recipe(target=f"{Path(__file__).name}:{name}", folder=Path(__file__).parent)
    cores = record_environment(tuple(sys.argv), recipe.folder).cores
    found: list[tuple[BatchSize, float]] = []
    swept: tuple[BatchSize, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for number in range(searches):
            if number == searches // 2:
                swept = _timed(recipe, Path(folder) / "sweep", cores, room=room, search=False, seed=0)
            found.append(_timed(recipe, Path(folder) / f"search{number}", cores, room=room, search=True, seed=number))
    assert swept is not None
    everything, seconds = swept
    fastest = everything.throughput(everything.fastest)
    lost = [fastest / everything.throughput(one.fastest) - 1 for one, _ in found]
    shares = [_in_blocks(one) / _in_blocks(everything) for one, _ in found]
    return {
        "share_in_blocks": shares,
        "sweep": everything.to_data(),
        "searches": [one.to_data() for one, _ in found],
        "samples": {"sweep": [seconds], "search": [spent for _, spent in found]},
        "lost": lost,
        "share_of_time": [spent / seconds for _, spent in found],
        "counts": {
            "fastest by the sweep": everything.fastest,
            "found": ", ".join(str(one.fastest) for one, _ in found),
            "slower than the sweep's best": ", ".join(f"{share:.1%}" for share in lost),
            "share of the sweep's time in blocks": ", ".join(f"{share:.0%}" for share in shares),
            "share of the sweep's time": ", ".join(f"{spent / seconds:.0%}" for _, spent in found),
            "did not fit": str(list(everything.too_large)),
        },
    }


def _in_blocks(found: BatchSize) -> float:
    """Seconds of a step, summed over all blocks: what the blocks took, but for their equal number of steps."""
    return sum(map(sum, found.seconds.values()))


def _timed(
    recipe: Recipe, folder: Path, cores: tuple[int, ...], *, room: int, search: bool, seed: int
) -> tuple[BatchSize, float]:
    folder.mkdir()
    began = time.perf_counter()
    with BatchTrials(recipe, Settings(folder=folder, cores=cores), room=room) as trials:
        order = random.Random(seed)
        if search:
            found = BatchSizeSearch(global_batch=trials.global_batch, measure=trials.block, order=order).run()
        else:
            found = sweep(trials, order)
    assert found is not None
    return found, time.perf_counter() - began


def main() -> None:
    """Measure all models and write what was found."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
    sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
    from simulate import machine
    from turns import finish

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--searches", type=int, default=3)
    parser.add_argument("--room", type=parse_size, default=math.floor(0.8 * free_host_memory()))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = {name: row(name, searches=given.searches, room=given.room) for name in given.models}
    finish(rows, given.out or RESULTS / machine() / "memory" / "batch_size.json")


if __name__ == "__main__":
    main()
