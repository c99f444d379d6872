"""A training step of the network with stacked variable selection against the loop over features, equal outputs.

F = 437, H = 64 are the sizes of the found model (--features, --hidden). Operators are those of forward and backward
alone, without views and memory that is only taken.

A step is forward and backward, with --update AdamW's update too. With --plan the stacked form also runs under a plan:
one that `hotloop tune panel` found on this machine, or the one that lies here.

python -m benchmarks.panel.bench_step --update --plan benchmarks/panel/plan.toml \
    --out benchmarks/results/<machine>/panel/step.json
"""

import copy
from functools import partial
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import hotloop
from benchmarks.panel.looped_selection import both
from benchmarks.panel.turns import finish, options, take_turns
from hotloop.models.atft_gat_fan import ATFTGATFAN, PanelNetworkOptions
from hotloop.models.panel.day_neighbors import Days

VIEWS = {"alias", "detach", "expand", "permute", "select", "slice", "split", "split_with_sizes", "squeeze", "t"}
VIEWS |= {"transpose", "unbind", "unsqueeze", "view", "_unsafe_view", "lift_fresh"}
NO_WORK = VIEWS | {"empty", "empty_like", "empty_strided", "new_empty"}


class Operators(TorchDispatchMode):
    """Counts what torch runs on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.name().removeprefix("aten::").partition(".")[0] not in NO_WORK
        return function(*args, **(kwargs or {}))


def main() -> None:
    parser = options(__doc__, rounds=10)
    parser.add_argument("--features", type=int, default=437)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--length", type=int, default=20)
    parser.add_argument(
        "--plan", type=Path, help="a third variant: the stacked form under this plan, such as plan.toml"
    )
    parser.add_argument("--update", action="store_true", help="steps end with AdamW's update")
    asked = parser.parse_args()
    looped, stacked = both(asked.features, asked.hidden)
    torch.manual_seed(0)
    network_options = PanelNetworkOptions(hidden=asked.hidden, dropout=0.0, edge_dropout=0.0)
    models = {}
    for name, selection in (("loop over features", looped), ("stacked", stacked)):
        torch.manual_seed(1)
        models[name] = ATFTGATFAN(asked.features, asked.length, network_options)
        models[name].selection = selection
    x = torch.randn(asked.samples, asked.length, asked.features)
    numbers = torch.arange(asked.samples)
    days = Days(numbers * 0, numbers, 1, asked.samples)
    said = [model(x, days).quantiles.detach() for model in models.values()]
    torch.testing.assert_close(said[0], said[1], atol=1e-3, rtol=1e-3)
    if asked.plan is not None:
        models["stacked, under the plan"] = copy.deepcopy(models["stacked"])
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, model in models.items()}
    if asked.plan is not None:
        name = "stacked, under the plan"
        hotloop.apply(hotloop.load_plan(asked.plan), models[name], optimizers[name])

    def step(name: str) -> None:
        models[name](x, days).quantiles.square().mean().backward()
        if asked.update:
            optimizers[name].step()
        optimizers[name].zero_grad(set_to_none=True)

    counts = {"largest difference of outputs": float((said[0] - said[1]).abs().max())}
    for name in ("loop over features", "stacked"):
        with Operators() as operators:
            quantiles = models[name](x, days).quantiles
            quantiles.backward(quantiles)
        models[name].zero_grad(set_to_none=True)
        counts[f"operators, {name}"] = operators.count
    variants = {name: partial(step, name) for name in models}
    found = take_turns(variants, rounds=asked.rounds, calls=dict.fromkeys(variants, 1)) | {"counts": counts}
    finish({f"F={asked.features}, H={asked.hidden}, {asked.samples} windows of {asked.length}": found}, asked.out)


if __name__ == "__main__":
    main()
