"""What sound plans do beyond the multiple of the noise that the gates allow: the arithmetic behind their floors.

    OMP_NUM_THREADS=1 python benchmarks/verify/floors.py [--starts 8]

Five small nets from several initial weights, 16 steps of AdamW. The sound plans are bf16 autocast, and for fp32 the
same batch in reverse order, which rounds every sum otherwise. The noise is that of the gates: 2**-9 and 2**-18 on the
initial weights, four draws, of which the largest effect counts. Printed for each figure is the largest of (effect of
the plan - factor x effect of the noise), which a floor has to cover, and that of a gradient 1.05 times too large.
"""

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotloop.verify.tolerance import FP32, REDUCED, Tolerance
from hotloop.worker.noise import add_weight_noise

STEPS, NOISES, LATER = 16, (1, 2, 3, 4), (2, 4, 8, 12, 16)
CLASSES, BATCH = 4, 64
NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Linear(48, 128), nn.ReLU(), nn.Linear(128, CLASSES)),
    "mlp, batch-norm": lambda: nn.Sequential(
        nn.Linear(48, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, CLASSES)
    ),
    "convnet, batch-norm": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 4, 4)),
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Linear(64, CLASSES),
    ),
    "convnet, pooled": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 4, 4)),
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 256),
        nn.ReLU(),
        nn.Linear(256, CLASSES),
    ),
    "narrow, batch-norm": lambda: nn.Sequential(
        nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, CLASSES)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Losses of all steps, whole gradients of some, and how far all buffers moved in each."""

    losses: Tensor
    gradients: dict[int, Tensor]
    buffers: Tensor


def train(make: Callable[[], nn.Module], start: int, *, how: str = "plain", noise: float = 0.0, draw: int = 0) -> Run:
    """A few steps from the same weights on the same batches."""
    torch.manual_seed(start)
    net = make()
    add_weight_noise(net, noise, draw)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    losses: list[float] = []
    gradients: dict[int, Tensor] = {}
    moves: list[list[float]] = []
    for step in range(1, STEPS + 1):
        rows = torch.randn(BATCH, 48)
        rows = rows.flip(0) if how == "reversed" else rows
        labels = rows[:, :CLASSES].argmax(1)
        before = [buffer.double().clone() for buffer in net.buffers()]
        with torch.autocast("cpu", dtype=torch.bfloat16) if how == "autocast" else nullcontext():
            outputs = net(rows)
        loss = nn.functional.cross_entropy(outputs.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        for parameter in net.parameters() if how == "scaled" else ():
            parameter.grad *= 1.05
        if step in (1, *LATER):
            gradients[step] = torch.cat([p.grad.flatten() for p in net.parameters()]).clone()
        optimizer.step()
        losses.append(float(loss.detach()))
        moves.append([float((b.double() - a).norm()) for a, b in zip(before, net.buffers(), strict=True)])
    return Run(losses=torch.tensor(losses, dtype=torch.float64), gradients=gradients, buffers=torch.tensor(moves))


def figures(run: Run, plain: Run) -> dict[str, float]:
    """The distances of hotloop.verify.distance, on whole tensors in place of sketches."""
    gaps = (run.losses - plain.losses) / (plain.losses + 0.01 * plain.losses.mean())
    apart = {
        step: float((g - plain.gradients[step]).norm() / plain.gradients[step].norm())
        for step, g in run.gradients.items()
    }
    sizes = plain.buffers.norm(dim=1)
    moved = (run.buffers - plain.buffers).norm(dim=1)[sizes > 0.1 * sizes.max()] if sizes.numel() else sizes
    sizes = sizes[sizes > 0.1 * sizes.max()] if sizes.numel() else sizes
    return {
        "loss": float(gaps[0].abs()),
        "gradients": apart[1],
        "drift": float(max(gaps[:10].square().mean(), gaps[-10:].square().mean()).sqrt()),
        "buffers": float((moved / sizes).max()) if len(sizes) else 0.0,
        "later": max(apart[step] for step in LATER),
    }


def excess(how: str, tolerance: Tolerance, starts: int) -> dict[str, float]:
    """The largest of what is beyond the multiple of the noise, over all nets and initial weights."""
    most: dict[str, float] = {}
    for make in NETS.values():
        for start in range(starts):
            plain = train(make, start)
            found = figures(train(make, start, how=how), plain)
            noisy = [figures(train(make, start, noise=tolerance.noise, draw=draw), plain) for draw in NOISES]
            for name, value in found.items():
                factor = tolerance.drift_factor if name == "drift" else tolerance.step_factor
                beyond = value - factor * max(one[name] for one in noisy)
                most[name] = max(most.get(name, -1.0), beyond)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for title, how, tolerance in (
        ("fp32, batch reversed", "reversed", FP32),
        ("fp32, gradients x 1.05", "scaled", FP32),
        ("bf16 autocast", "autocast", REDUCED),
    ):
        told = ", ".join(f"{name} {value:+.1e}" for name, value in excess(how, tolerance, options.starts).items())
        print(f"{title}: {told}", flush=True)


if __name__ == "__main__":
    main()
