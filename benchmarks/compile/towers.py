"""Three models of repeated blocks, each with a batch and a loss, for benchmarks of compiling and of memory."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotloop import models
from hotloop.transform import Plan, Stage
from hotloop.workloads.started_plan import start


@dataclass(frozen=True, kw_only=True)
class Training:
    """A model that trains on one batch."""

    model: nn.Module
    x: Tensor
    optimizer: torch.optim.Optimizer

    def step(self) -> None:
        """Forward, backward and update."""
        self.optimizer.zero_grad()
        output = self.model(self.x)
        sum(part.square().mean() for part in (output if isinstance(output, tuple) else (output,))).backward()
        self.optimizer.step()


class Perceptron(nn.Module):
    """A residual block of a deep perceptron."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.down(nn.functional.gelu(self.up(self.norm(x)))))


def _transformer() -> tuple[nn.Module, Tensor]:
    layers = [nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, norm_first=True) for _ in range(8)]
    return nn.Sequential(*layers, nn.LayerNorm(128)), torch.randn(16, 128, 128)


def _board_tower() -> tuple[nn.Module, Tensor]:
    net = models.create("resnet", input_channels=46, num_actions=512, depth=9, width=64)
    return net, torch.randn(64, 46, 9, 9)


def _perceptron() -> tuple[nn.Module, Tensor]:
    return nn.Sequential(nn.Linear(64, 128), *(Perceptron(128) for _ in range(10))), torch.randn(4096, 64)


TOWERS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "transformer": _transformer,
    "board tower": _board_tower,
    "perceptron": _perceptron,
}


def training(name: str, plan: Plan) -> Training:
    """The model under the plan, from the same seed. Exits the script where the plan does not apply."""
    torch.manual_seed(0)
    model, x = TOWERS[name]()
    started = start(plan)
    started.visit(Stage.MODULE, model)
    if started.refused:
        raise SystemExit(f"{name}: {started.refused}")
    return Training(model=model, x=x, optimizer=torch.optim.AdamW(model.parameters(), lr=1e-4))
