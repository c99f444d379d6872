"""Who plays: a network, or nobody in particular."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hotloop.models.policy.network_call import NetworkCall, distribution_of

# N positions, A actions


class Player(Protocol):
    """Chooses an action in each of N positions."""

    name: str

    def __call__(self, observations: Tensor, legal_NA: Tensor | None) -> Tensor:
        """Actions, one a row, on the CPU."""
        ...


class NetworkPlayer:
    """Plays what a network likes best, or draws by its probabilities; the network is called in eval mode."""

    def __init__(self, name: str, model: nn.Module, call: NetworkCall, *, deterministic: bool = False) -> None:
        self.name = name
        self._model, self._call, self._distribution = model, call, distribution_of(model)
        self._choose: Any = self._distribution.mode if deterministic else self._distribution.sample
        self._device = next(model.parameters()).device

    @torch.no_grad()
    def __call__(self, observations: Tensor, legal_NA: Tensor | None) -> Tensor:
        self._model.eval()
        outputs, _ = self._call(self._model, observations.to(self._device))
        return self._choose(outputs, None if legal_NA is None else legal_NA.to(self._device)).cpu()


class RandomPlayer:
    """Plays any legal action, all equally likely."""

    def __init__(self, seed: int, name: str = "random") -> None:
        self.name = name
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, observations: Tensor, legal_NA: Tensor | None) -> Tensor:
        if legal_NA is None:
            raise ValueError("a random player needs masks of legal actions; the environment gives none")
        return torch.rand(legal_NA.shape, generator=self._generator).masked_fill_(~legal_NA, -1.0).argmax(dim=1)
