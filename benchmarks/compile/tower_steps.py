"""Training steps and forward passes of residual board towers: eager fp32 as people write it, and under a plan.

    python benchmarks/compile/tower_steps.py [--rounds 10] [--out FILE]        # about ten minutes

9 blocks of 256 channels with squeeze and excitation at batch 64 and 256, and 6 of 128 without at batch 64, on 9 x 9
boards. Eager: pure torch, fp32, Adam with its defaults. The plan: autocast in bf16, channels_last, Adam fused, and the
fused kernel for the tails of the blocks, alone and with `compile`. All begin from the same weights, see the same
batches and take turns in random order with one thread, and all train in their turns: their losses are told, and a
difference of more than 5 % of what was learnt ends the script with an error. Floor and aim without AMX: training 1.9x
and 2.4x, forward 2.5x; with it: training 3.4x and 4.2x, forward 6.5x.
Writes benchmarks/results/<machine>/compile/tower_steps.json, or `--out`.
"""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import cycle
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine
from turns import finish, options, take_turns

import hotloop
from hotloop import kernels, models

RESULTS = Path(__file__).parents[1] / "results"
PLAN = [{"name": "autocast", "dtype": "bfloat16"}, {"name": "channels_last"}, {"name": "fused_optimizer"}]
EAGER = "eager fp32"
PLANS = {EAGER: [], "under the plan": PLAN, "under the plan, compiled": [*PLAN, {"name": "compile"}]}
SIZES = {"9x256": {"depth": 9, "width": 256}, "6x128": {"depth": 6, "width": 128, "se_ratio": 0}}
NUM_MOVES, NUM_BATCHES = 2_187, 4
SOUND = 0.05

Batch = tuple[Tensor, Tensor, Tensor]


class Arm:
    """One way to train a tower, from the same weights and on the same batches as any other."""

    def __init__(self, size: str, batches: list[Batch], plan: list[dict[str, str]]) -> None:
        torch.manual_seed(0)
        self.model = models.create("resnet", input_channels=46, num_actions=NUM_MOVES, **SIZES[size])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        # Only around what is not compiled: Dynamo guards on the choice, and would compile anew at every change.
        self.tails = nullcontext if plan else partial(kernels.prefer, "torch")
        if plan:
            hotloop.apply(hotloop.Plan.from_data(plan), self.model, self.optimizer)
        self.batches, self.first = cycle(batches), batches[0][0]
        self.losses: list[Tensor] = []

    def step(self) -> None:
        """Forward, loss, backward and update."""
        boards, moves, results = next(self.batches)
        with self.tails():
            logits, value = self.model(boards)
            loss = functional.cross_entropy(logits.float(), moves) + functional.mse_loss(
                value.float().flatten(), results
            )
            self.optimizer.zero_grad()
            loss.backward()
        self.optimizer.step()
        self.losses.append(loss.detach())

    @torch.no_grad()
    def forward(self) -> None:
        """A forward pass in eval mode."""
        self.model.eval()
        with self.tails():
            self.model(self.first)
        self.model.train()


def made_batches(size: int) -> list[Batch]:
    """Random boards, each with a move and a result that can only be learnt by heart."""
    torch.manual_seed(1)
    return [
        ((torch.rand(size, 46, 9, 9) < 0.2).float(), torch.randint(NUM_MOVES, (size,)), torch.rand(size) * 2 - 1)
        for _ in range(NUM_BATCHES)
    ]


def learning(arms: dict[str, Arm]) -> dict[str, object]:
    """The losses of all arms. Ends the script where they have not learnt the same."""
    curves = {name: torch.stack(arm.losses).tolist() for name, arm in arms.items()}
    last = {name: sum(losses[-NUM_BATCHES:]) / NUM_BATCHES for name, losses in curves.items()}
    learnt = curves[EAGER][0] - last[EAGER]
    counts: dict[str, object] = {"learnt": learnt}
    for name in set(last) - {EAGER}:
        difference = abs(last[name] - last[EAGER]) / learnt
        if not 0.0 <= difference < SOUND:
            raise SystemExit(f"{name} it trains otherwise: last losses {last}, {difference:.1%} of what was learnt")
        counts[f"{name}: its last losses differ by, of what was learnt"] = difference
    return {"losses": curves, "counts": counts}


def main() -> None:
    parser = options(__doc__ or "", rounds=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if kernels.status().cpu != "native":
        sys.exit(f"the kernel is not there: {kernels.status().reason}")
    found = {}
    for size, batch in (("9x256", 64), ("9x256", 256), ("6x128", 64)):
        batches = made_batches(batch)
        arms = {name: Arm(size, batches, plan) for name, plan in PLANS.items()}
        steps: dict[str, Callable[[], None]] = {name: arm.step for name, arm in arms.items()}
        once = dict.fromkeys(arms, 1)
        title = f"{size}, batch {batch}"
        found[f"{title}: step"] = take_turns(steps, rounds=given.rounds, calls=once) | learning(arms)
        passes: dict[str, Callable[[], None]] = {name: arm.forward for name, arm in arms.items()}
        found[f"{title}: forward"] = take_turns(passes, rounds=given.rounds, calls=once)
    finish(found, given.out or RESULTS / machine() / "compile" / "tower_steps.json")


if __name__ == "__main__":
    main()
