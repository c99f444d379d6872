import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hotloop.models.conv_residual import ResConvPSANN
from hotloop.models.dense import DensePSANN
from hotloop.models.residual import ResPSANN
from hotloop.models.state import StateConfig
from hotloop.train.episodic import EpisodicOptions

sys.path.insert(0, str(Path(__file__).parent))


def linear(in_features=3, out_features=2):
    torch.manual_seed(0)
    return nn.Linear(in_features, out_features)


def shaken(model):
    """A network whose residual branches are open, so that every parameter has a gradient."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def dense(hidden=32, **options):
    torch.manual_seed(0)
    return shaken(ResPSANN(3, 2, hidden_layers=2, hidden_units=hidden, **options))


def conv(channels=16, **options):
    torch.manual_seed(0)
    return shaken(ResConvPSANN(2, 2, hidden_layers=1, channels=channels, **options))


def stateful():
    torch.manual_seed(0)
    return DensePSANN(3, 2, hidden_layers=1, hidden_units=8, state=StateConfig())


@pytest.fixture
def make():
    """Builders of small networks by name, each the same at every call."""
    return {"linear": linear, "dense": dense, "conv": conv, "stateful": stateful}


@pytest.fixture
def flat_series():
    return np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)


@pytest.fixture
def conv_series():
    return np.random.default_rng(1).normal(size=(40, 2, 4, 5)).astype(np.float32)


@pytest.fixture
def options():
    """Options for short runs, with changes."""

    def build(**changes):
        return EpisodicOptions(**{"epochs": 2, "window": 8, "primary_transform": "tanh", "lr": 1e-2, **changes})

    return build


@pytest.fixture
def weights():
    """All parameters of a model as one copied vector."""
    return lambda model: torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
