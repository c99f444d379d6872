"""Forecast of a noisy series: a two-layer LSTM with dropout between the layers, Adam, clipping."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.workload import Job, Loss


class Forecaster(nn.Module):
    """The next value of each of B series of T values, shape (B,)."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(1, 24, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, series_BT: Tensor) -> Tensor:
        hidden_BTD, _ = self.memory(series_BT.unsqueeze(-1))
        return self.head(hidden_BTD[:, -1]).squeeze(-1)


@dataclass(frozen=True)
class Forecast:
    """Mean squared error of the last value given those before it."""

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        series = batch["series"]
        return Loss(F.mse_loss(model(series[:, :-1]), series[:, -1]), len(series))


def build(seed: int = 0) -> Job:
    """Ten batches of 32 sines of random phase and pace, 17 values each."""
    torch.manual_seed(seed)
    time = torch.arange(17)
    phase, pace = torch.rand(10, 32, 1) * 6.3, 0.2 + torch.rand(10, 32, 1)
    series = torch.sin(phase + pace * time) + 0.05 * torch.randn(10, 32, 17)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    batches = [{"series": part} for part in series]
    return Job(model=model, optimizer=optimizer, batches=batches, strategy=Forecast(), clip_norm=1.0)
