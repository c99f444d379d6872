"""A recurrent actor-critic over the history of an episode."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.option import AtLeast

# B positions, T steps so far, D features, H hidden units


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """`history` rows of `observation_size / history` features; `num_actions` logits of the policy."""

    observation_size: Annotated[int, AtLeast(1)]
    history: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(1)]
    hidden_units: Annotated[int, AtLeast(1)] = 64

    def __post_init__(self) -> None:
        if self.observation_size % self.history:
            raise ValueError(
                f"got observation_size={self.observation_size} and history={self.history}; an observation is "
                "`history` rows of equal size: give a multiple"
            )


class Recurrent(ActorCritic):
    """Linear, layer norm, ReLU, LSTM, layer norm, heads; (B, T, D) -> logits (B, num_actions) and values (B,).

    An observation is the episode so far: rows that were lived through have a 1 as their first feature, and come
    first; the others are zero. The state of the LSTM is worked out from the first row on each time, so that rollouts
    and updates, in whatever order, see the same function, and gradients go through the whole episode.
    """

    name: ClassVar[str] = "recurrent"
    Config: ClassVar = RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_units
        self.inputs = nn.Sequential(
            nn.Linear(config.observation_size // config.history, hidden), nn.LayerNorm(hidden), nn.ReLU()
        )
        self.lstm, self.norm = _CellByCell(hidden, hidden), nn.LayerNorm(hidden)
        self.policy, self.value = nn.Linear(hidden, config.num_actions), nn.Linear(hidden, 1)
        for head, gain in ((self.policy, 0.01), (self.value, 1.0)):  # Andrychowicz et al. 2021, section 3.2
            nn.init.orthogonal_(head.weight, gain)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows_BTD = x.reshape(len(x), self.config.history, -1)
        states_BTH, _ = self.lstm(self.inputs(rows_BTD))
        last_B = ((rows_BTD[:, :, 0] > 0.5).sum(1) - 1).clamp(min=0)
        state_BH = self.norm(states_BTH[torch.arange(len(x), device=x.device), last_B])
        return self.policy(state_BH), self.value(state_BH).squeeze(1)


class _CellByCell(nn.LSTMCell):
    """(B, T, H) -> states (B, T, H) and the last state of the cell (B, H), from a state of zeros on.

    Not nn.LSTM, which Dynamo does not take: a model that holds one is not compiled at all.
    """

    def forward(self, rows_BTH: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden_BH = cell_BH = rows_BTH.new_zeros(len(rows_BTH), self.hidden_size)
        states: list[Tensor] = []
        for row_BH in rows_BTH.unbind(1):
            hidden_BH, cell_BH = super().forward(row_BH, (hidden_BH, cell_BH))
            states.append(hidden_BH)
        return torch.stack(states, dim=1), cell_BH
