"""Small real trainings with a target: digits by an MLP and a CNN, regression by an MLP, characters by a transformer."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

_EVALUATED = 600


@dataclass(frozen=True, kw_only=True)
class Task:
    """Examples to train on and to hold out, a network, and the training loss that counts as learned."""

    name: str
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    build: Callable[[], nn.Module]
    losses: Callable[[nn.Module, Tensor, Tensor], Tensor]  # one an example
    score: Callable[[nn.Module, Tensor, Tensor], float]  # on held-out examples
    batch_size: int
    target: float
    lrs: tuple[float, ...]

    @torch.no_grad()
    def train_loss(self, model: nn.Module) -> float:
        """Mean loss over some hundreds of training examples, always the same: all would take longer than training."""
        inputs, targets = (part[:: math.ceil(len(part) / _EVALUATED)] for part in self.train)
        parts = zip(inputs.split(512), targets.split(512), strict=True)
        return torch.cat([self.losses(model, x, y) for x, y in parts]).mean().item()

    @torch.no_grad()
    def test_score(self, model: nn.Module) -> float:
        """Accuracy, or minus the mean loss where there are no classes of examples."""
        return self.score(model, *self.test)


def _cross_entropy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(inputs), targets, reduction="none")


def _accuracy(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    return (model(inputs).argmax(1) == targets).float().mean().item()


@cache
def _digits() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    pixels, labels = load_digits(return_X_y=True)
    inputs, targets = torch.tensor(pixels, dtype=torch.float32) / 16, torch.tensor(labels)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    return (inputs[train], targets[train]), (inputs[test], targets[test])


def digits_mlp() -> Task:
    """85,002 parameters, 64 pixels."""
    train, test = _digits()
    return Task(
        name="digits_mlp",
        train=train,
        test=test,
        build=lambda: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)),
        losses=_cross_entropy,
        score=_accuracy,
        batch_size=64,
        target=0.001,
        lrs=(2e-3, 4e-3, 8e-3),
    )


def digits_cnn() -> Task:
    """35,914 parameters, 8x8 images."""
    train, test = _digits()
    return Task(
        name="digits_cnn",
        train=(train[0].view(-1, 1, 8, 8), train[1]),
        test=(test[0].view(-1, 1, 8, 8), test[1]),
        build=lambda: nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        ),
        losses=_cross_entropy,
        score=_accuracy,
        batch_size=64,
        target=0.001,
        lrs=(4e-3, 8e-3, 1.6e-2),
    )


def _squared(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return (model(inputs) - targets).square().mean(1)


def regression_mlp() -> Task:
    """18,817 parameters; a fixed random network plus a product of two inputs is to be learned."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4000, 16, generator=generator)
    weights = torch.randn(16, 8, generator=generator)
    targets = torch.tanh(inputs @ weights / 4).sum(1, keepdim=True) + inputs[:, :1] * inputs[:, 1:2]
    return Task(
        name="regression_mlp",
        train=(inputs[:3000], targets[:3000]),
        test=(inputs[3000:], targets[3000:]),
        build=lambda: nn.Sequential(nn.Linear(16, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 1)),
        losses=_squared,
        score=lambda model, x, y: -_squared(model, x, y).mean().item(),
        batch_size=64,
        target=0.1,
        lrs=(2e-3, 4e-3, 8e-3),
    )


def _next_characters(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(inputs).transpose(1, 2), targets, reduction="none").mean(1)


def char_transformer() -> Task:
    """117,248 parameters: two layers of width 64 over 64 characters of the Python manual."""
    from char_gpt import GPT, prose

    text = prose()
    alphabet = sorted(set(text))
    ids = torch.tensor([alphabet.index(character) for character in text[:160_000]])
    windows = ids[: len(ids) // 65 * 65].view(-1, 65)
    held_out = len(windows) // 10
    return Task(
        name="char_transformer",
        train=(windows[:-held_out, :-1], windows[:-held_out, 1:]),
        test=(windows[-held_out:, :-1], windows[-held_out:, 1:]),
        build=lambda: GPT(len(alphabet), context=64, width=64, num_layers=2, num_heads=4),
        losses=_next_characters,
        score=lambda model, x, y: -_next_characters(model, x, y).mean().item(),
        batch_size=16,
        target=2.3,
        lrs=(1e-3, 2e-3, 4e-3),
    )


TASKS: dict[str, Callable[[], Task]] = {
    "digits_mlp": digits_mlp,
    "digits_cnn": digits_cnn,
    "regression_mlp": regression_mlp,
    "char_transformer": char_transformer,
}
