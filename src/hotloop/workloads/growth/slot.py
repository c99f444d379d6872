"""A slot: where a seed is joined to the host, and how far."""

from typing import Any

import torch
from torch import Tensor, nn

from hotloop.workloads.growth.alpha_schedules import AlphaSchedule
from hotloop.workloads.growth.host import HostKind
from hotloop.workloads.growth.stages import TAKES_PART, SlotStage


class Slot(nn.Module):
    """Features in, features of the same shape out.

    Without a seed, and while it is GERMINATED: what came in. TRAINING: what came in, bit by bit; the seed gets the
    gradient that its output would get in that place, and the host gets none from it. BLENDING, HOLDING, FOSSILIZED:
    `lerp(in, seed(in), alpha)`. With a gate each sample has an alpha of its own, logit(alpha) moved by a learned
    number; 0 and 1 stay what they are. Where the host `detaches_seeds`, no gradient goes through the seed into the
    host before HOLDING. `alpha` is a tensor, so that its changes are no new graph.
    """

    def __init__(self, host: HostKind, channels: int, *, detaches_seeds: bool) -> None:
        super().__init__()
        self.host, self.channels, self._detaches_seeds = host, channels, detaches_seeds
        self._stage, self._mode, self.blueprint = SlotStage.DORMANT, "absent", ""
        self.schedule: AlphaSchedule = "linear"
        self.seed: nn.Module | None = None
        self.gate: nn.Module | None = None
        self.register_buffer("alpha", torch.zeros(()))
        self.alpha: Tensor

    def plant(self, blueprint: str, seed: nn.Module, schedule: AlphaSchedule) -> None:
        """Put a seed in, on the device of the slot, with a gate where the schedule has one."""
        self.blueprint, self.schedule = blueprint, schedule
        self.seed = seed.to(self.alpha.device)
        if schedule == "gated":
            self.gate = _Gate(self.channels, is_last=self.host == "transformer").to(self.alpha.device)
        self.set_alpha(0.0)

    def clear(self) -> None:
        """Take the seed out."""
        self.seed = self.gate = None
        self.blueprint, self.schedule = "", "linear"
        self.set_alpha(0.0)

    def set_alpha(self, alpha: float) -> None:
        """Blend by `alpha` from now on."""
        self.alpha.fill_(alpha)

    def graph_key(self) -> tuple[Any, ...]:
        """What of this slot decides the graph, beside its tensors."""
        return self.blueprint, self._mode

    def seed_parameters(self) -> list[nn.Parameter]:
        """What is trained of the seed and its gate; empty where there is nothing."""
        parts = [part for part in (self.seed, self.gate) if part is not None]
        return [parameter for part in parts for parameter in part.parameters()]

    def forward(self, x: Tensor) -> Tensor:
        mode = self._mode
        if mode == "absent" or self.seed is None:
            return x
        grown: Tensor = self.seed(x if mode == "joined" else x.detach())
        if mode == "beside":
            return _straight_through(x, grown)
        weight = self.alpha if self.gate is None else self.gate(x.detach(), self.alpha)
        return torch.lerp(x, grown, weight)

    @property
    def stage(self) -> SlotStage:
        """What decides how the seed is joined to the host."""
        return self._stage

    @stage.setter
    def stage(self, stage: SlotStage) -> None:
        self._stage = stage
        self._mode = self._mode_in(stage)  # a plain string, so that guards of compiled code compare no more than that

    def _mode_in(self, stage: SlotStage) -> str:
        if stage is SlotStage.TRAINING:
            return "beside"
        if stage not in TAKES_PART:
            return "absent"
        return "detached" if self._detaches_seeds and stage is SlotStage.BLENDING else "joined"


def _straight_through(x: Tensor, grown: Tensor) -> Tensor:
    """The first argument, bit by bit, whatever the other is; the gradient goes to both.

    In arithmetic, and not an autograd.Function: Dynamo makes an instance of that class, which torch deprecates.
    """
    nothing = grown.detach() - grown  # 0.0, and what is taken away leaves even -0.0 as it is
    return x - nothing.nan_to_num(0.0)  # NaN where the seed gives NaN or infinity; no gradient goes there


class _Gate(nn.Module):
    """Alpha of each sample, from its pooled features, shaped to be multiplied with them."""

    def __init__(self, channels: int, *, is_last: bool) -> None:
        super().__init__()
        self.layer, self._is_last = nn.Linear(channels, 1), is_last
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        if self._is_last:
            gate = torch.sigmoid(self.layer(x))  # of each token alone: pooling over tokens would see the future
        else:
            gate = torch.sigmoid(self.layer(x.mean((2, 3))))[:, :, None, None]
        into, out = gate * alpha, (1.0 - gate) * (1.0 - alpha)
        return into / (into + out)
