"""A small series, small estimators, and rewards that look at what they are given."""

import numpy as np
import pytest
import torch

SMALL = {"hidden_layers": 1, "hidden_units": 8, "epochs": 2, "random_state": 0, "device": "cpu"}


@pytest.fixture
def small() -> dict:
    return dict(SMALL)


@pytest.fixture
def series() -> np.ndarray:
    """Prices above 0, (80, 3)."""
    steps = np.random.default_rng(3).normal(scale=0.02, size=(80, 3))
    return np.exp(np.cumsum(steps, axis=0)).astype(np.float32) * 10


class Recording:
    """A reward that keeps the shapes, contexts and penalties it is called with."""

    def __init__(self) -> None:
        self.actions: list[torch.Tensor] = []
        self.contexts: list[torch.Tensor] = []
        self.penalties: list[float] = []

    def __call__(
        self, actions: torch.Tensor, context: torch.Tensor, *, transition_penalty: float = 0.0
    ) -> torch.Tensor:
        self.actions.append(actions.detach().clone())
        self.contexts.append(context.detach().clone())
        self.penalties.append(transition_penalty)
        return (actions * context).mean((1, 2)) - transition_penalty * actions.diff(dim=1).abs().mean((1, 2))


@pytest.fixture
def recording() -> Recording:
    return Recording()
