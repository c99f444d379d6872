"""Growing networks on the real digits, in few batches, and a planted host on which one blueprint alone helps."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from hotloop.train.events.sinks import ListSink
from hotloop.train.events.stream import EventStream
from hotloop.train.strategies.classification import Classification
from hotloop.workloads.growth.build_training import build_compiler, build_training
from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import ClockOptions, GrowthOptions
from hotloop.workloads.growth.task import GrowthTask, load_task


@pytest.fixture(scope="session")
def digits():
    return load_task("digits")


@pytest.fixture(scope="session")
def english():
    return load_task("english")


def quick_options(**changes):
    """A life in a dozen epochs of four batches."""
    given = {
        "epochs": 16,
        "slots": (0, 1),
        "max_batches": 4,
        "lr": 0.05,
        "seed_lr": 0.05,
        "gates": GateLimits(improvement=-100.0, training_epochs=1, gradient_ratio=0.0, blending_epochs=2),
        "clock": ClockOptions(training_share=0.0, blending_epochs=3, embargo_epochs=1, training_limit=3),
    }
    return GrowthOptions(**{**given, **changes})


@pytest.fixture
def options():
    return quick_options


@pytest.fixture
def begun(digits):
    """A training at its beginning, and the list its events go into."""

    def build(task=digits, *, seed=0, **changes):
        sink = ListSink()
        chosen = quick_options(**changes)
        training = build_training(
            task, chosen, seed=seed, compiler=build_compiler(task, chosen), events=EventStream(sink)
        )
        return training, sink.records

    return build


@pytest.fixture
def moves():
    """The stages that a slot went through, from its events."""
    return lambda records, slot: [
        (record["stage_from"], record["stage_to"])
        for record in records
        if record["type"] == "slot_stage_changed" and record["slot"] == slot
    ]


class LinearHost(nn.Module):
    """A linear function of two numbers, shaped as an image of one pixel: it cannot learn exclusive or."""

    kind = "cnn"
    detaches_seeds = True
    widths = (2,)

    def __init__(self):
        super().__init__()
        self.stem, self.blocks = nn.Identity(), nn.ModuleList([nn.Conv2d(2, 2, 1)])
        nn.init.eye_(self.blocks[0].weight.data.view(2, 2))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))

    def forward(self, x):
        return self.head(self.blocks[0](self.stem(x)))


class RoomyHost(LinearHost):
    """Linear as well, with twice the parameters of the seed that helps, whose rent is then small."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(2, 64), nn.Linear(64, 2))


@pytest.fixture(scope="session")
def planted():
    """Exclusive or: `conv_heavy` solves it, `noop` cannot."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(384, 2, 1, 1, generator=generator)
    targets = (inputs[:, 0] * inputs[:, 1] > 0).long().flatten()
    parts = [(inputs[rows], targets[rows]) for rows in torch.arange(384).split(128)]
    return GrowthTask(
        name="planted",
        build_host=LinearHost,
        strategy=Classification(),
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        batch_size=32,
        chance_loss=math.log(2),
    )


@pytest.fixture(scope="session")
def roomy(planted):
    """Exclusive or, on a host beside which a seed costs 0.2 of reward, and not 1.4, most of what it gains."""
    return dataclasses.replace(planted, build_host=RoomyHost)
