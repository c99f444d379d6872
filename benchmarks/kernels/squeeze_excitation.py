"""Squeeze and excitation with residual and ReLU, 256 channels on 9 x 9 boards: eager, inductor, and the fused kernel.

    python benchmarks/kernels/squeeze_excitation.py [--rounds 30] [--steps] [--out FILE]

Forward and backward of the tail of a residual block as users write it (1x1 convolutions; under bf16 autocast), at batch
64 and 256, fp32 and bf16, channels in planes and last. `--steps` adds whole training steps of a residual tower under
bf16, with the kernel and in pure torch. Variants take turns in random order with one thread; above 1 is faster than
eager. Writes benchmarks/results/<machine>/kernels/squeeze_excitation.json, or `--out`.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine
from turns import Call, finish, options, take_turns

from hotloop import kernels, models
from hotloop.kernels import squeeze_excitation

CHANNELS, HIDDEN = 256, 64
LAYOUTS = {"planes": torch.contiguous_format, "channels last": torch.channels_last}
RESULTS = Path(__file__).parents[1] / "results"


class Tail(nn.Module):
    """The end of a residual block as users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(CHANNELS, HIDDEN, 1), nn.Conv2d(HIDDEN, CHANNELS, 1)

    def forward(self, y: Tensor, residual: Tensor) -> Tensor:
        gates = self.expand(self.reduce(y.mean(dim=(2, 3), keepdim=True)).relu()).sigmoid()
        return (y * gates + residual).relu()


def tails(batch: int, dtype: torch.dtype, memory_format: torch.memory_format) -> dict[str, Call]:
    """Forward and backward of each variant on the same tensors."""
    torch.manual_seed(0)
    tail = Tail().to(memory_format=memory_format)
    large = [
        torch.randn(batch, CHANNELS, 9, 9).to(dtype).contiguous(memory_format=memory_format).requires_grad_()
        for _ in range(2)
    ]
    gradient = torch.randn_like(large[0])
    leaves = [*large, *tail.parameters()]

    def fused(y: Tensor, residual: Tensor) -> Tensor:
        reduce, expand = tail.reduce, tail.expand
        assert reduce.bias is not None
        assert expand.bias is not None
        return squeeze_excitation(y, residual, (reduce.weight, reduce.bias), (expand.weight, expand.bias))

    def both(forward: Callable[[Tensor, Tensor], Tensor]) -> Call:
        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
                output = forward(*large)
            torch.autograd.grad(output, leaves, gradient)

        return run

    return {"eager": both(tail), "inductor": both(torch.compile(tail, dynamic=False)), "fused": both(fused)}


def steps(batch: int) -> dict[str, Call]:
    """Training steps of the tower of 9 x 256 under bf16, channels last, in pure torch and with the kernel."""
    torch.manual_seed(0)
    net = models.create("resnet", input_channels=46, num_actions=13_527).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    x = torch.randn(batch, 46, 9, 9).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits, value = net(x)
        (logits.float().square().mean() + value.float().square().mean()).backward()
        optimizer.step()

    def in_torch() -> None:
        with kernels.prefer("torch"):
            step()

    return {"pure torch": in_torch, "fused": step}


def main() -> None:
    """Measure all cases and write the samples."""
    parser = options(__doc__ or "", rounds=30)
    parser.add_argument("--steps", action="store_true", help="whole training steps as well")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    given = parser.parse_args()
    torch.set_num_threads(1)
    if kernels.status().cpu != "native":
        sys.exit(f"nothing to compare: {kernels.status().reason}")
    found = {}
    for batch in given.batches:
        for dtype in (torch.float32, torch.bfloat16):
            for layout, memory_format in LAYOUTS.items():
                torch._dynamo.reset()
                variants = tails(batch, dtype, memory_format)
                calls = dict.fromkeys(variants, 1)
                found[f"{batch} boards, {dtype}, {layout}"] = take_turns(variants, rounds=given.rounds, calls=calls)
        if given.steps:
            variants = steps(batch)
            found[f"step of 9 x 256, {batch} boards, bf16"] = take_turns(
                variants, rounds=max(3, given.rounds // 3), calls=dict.fromkeys(variants, 1)
            )
    finish(found, given.out or RESULTS / machine() / "kernels" / "squeeze_excitation.json")


if __name__ == "__main__":
    main()
