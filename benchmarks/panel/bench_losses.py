"""Losses grouped by day against a loop over the days as found: time of forward and backward, host reads, by day count.

python -m benchmarks.panel.bench_losses --out benchmarks/results/<machine>/panel/losses.json
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.claims.grouped_losses import correlation, listnet, loop, sharpe
from benchmarks.panel.turns import finish, options, take_turns
from hotloop.train.losses.correlation import information_coefficient
from hotloop.train.losses.correlation import listnet as grouped_listnet
from hotloop.train.losses.day_groups import DayGroups
from hotloop.train.losses.portfolio import sharpe as grouped_sharpe

DAYS = (1, 8, 32, 96)
STOCKS = 60
READS = ("aten::_local_scalar_dense", "aten::nonzero")


class Reads(TorchDispatchMode):
    """Counts what asks the device for a number or a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        is_masked = function.name() == "aten::index.Tensor" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        self.count += is_masked or function.name() in READS or function.name().startswith("aten::_unique")
        return function(*args, **(kwargs or {}))


def both(num_days: int) -> tuple[dict[str, Callable[[], Tensor]], Tensor]:
    """Gradients of IC, Sharpe and ListNet together, for uneven days; and the forecast that they belong to."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(2, 2 * STOCKS, (num_days,), generator=generator)
    group = torch.repeat_interleave(torch.arange(num_days), sizes)
    point, target = torch.randn(2, len(group), generator=generator)
    point.requires_grad_()
    largest = int(sizes.max())  # known on the host: the sampler draws the days

    def looped() -> Tensor:
        total = torch.stack([loop(loss, point, target, group) for loss in (correlation, sharpe, listnet)]).sum()
        return torch.autograd.grad(total, point)[0]

    def grouped() -> Tensor:
        known = torch.ones(len(group), 1, dtype=torch.bool)
        days = DayGroups(group, num_days, known, largest=largest)
        inputs = point.unsqueeze(1), target.unsqueeze(1)
        total = information_coefficient(*inputs, days) + grouped_sharpe(*inputs, days)
        wanted = target / _spread(target, group, num_days)  # ListNet here takes targets standardised by day
        return torch.autograd.grad((total + grouped_listnet(inputs[0], wanted.unsqueeze(1), days)).sum(), point)[0]

    return {"loop over days": looped, "segments": grouped}, point


def _spread(target: Tensor, group: Tensor, num_days: int) -> Tensor:
    days = DayGroups(group, num_days, torch.ones(len(group), 1, dtype=torch.bool), largest=1)
    deviation = (days.mean(days.centred(target.unsqueeze(1)).square()) + 1e-8).sqrt()
    return days.segments.spread(deviation)[:, 0]


def main() -> None:
    asked = options(__doc__, rounds=20).parse_args()
    found = {}
    for num_days in DAYS:
        variants, _ = both(num_days)
        counts = {}
        for name, call in variants.items():
            with Reads() as reads:
                call()
            counts[f"host reads, {name}"] = reads.count
        calls = {"loop over days": 2, "segments": 10}
        found[f"{num_days} days"] = take_turns(variants, rounds=asked.rounds, calls=calls) | {"counts": counts}
    finish(found, asked.out)


if __name__ == "__main__":
    main()
