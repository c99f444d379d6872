"""Who plays: a network, or nobody in particular."""

from typing import Protocol

import torch
from torch import Tensor, nn

from hotloop.models.policy.distribution import sample
from hotloop.models.policy.network_call import NetworkCall, distribution_of
from hotloop.train.ppo.legal_lists import listed

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
        self._deterministic = deterministic
        self._device = next(model.parameters()).device

    @torch.no_grad()
    def __call__(self, observations: Tensor, legal_NA: Tensor | None) -> Tensor:
        self._model.eval()
        outputs, _ = self._call(self._model, observations.to(self._device))
        legal = None if legal_NA is None else listed(legal_NA).to(self._device)
        if self._deterministic:
            return self._distribution.mode(outputs, legal).cpu()
        return sample(self._distribution, outputs, legal).cpu()


class RandomPlayer:
    """Plays any legal action, all equally likely."""

    def __init__(self, seed: int, name: str = "random") -> None:
        self.name = name
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, observations: Tensor, legal_NA: Tensor | None) -> Tensor:
        if legal_NA is None:
            raise ValueError("a random player needs masks of legal actions; the environment gives none")
        return torch.rand(legal_NA.shape, generator=self._generator).masked_fill_(~legal_NA, -1.0).argmax(dim=1)
