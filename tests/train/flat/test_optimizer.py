import pytest
import torch
from torch import nn

from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters

TORCH = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, **options),
}


def pair():
    torch.manual_seed(0)
    mine, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(mine.state_dict())
    return mine, theirs


def set_gradients(mine, theirs, step):
    generator = torch.Generator().manual_seed(step)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        grad = torch.randn(b.shape, generator=generator)
        a.grad.copy_(grad)
        b.grad = grad.clone()


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a13_defect_04_updates_are_those_of_torch(kind, decay):
    mine, theirs = pair()
    flat = FlatParameters(mine)
    optimizer = FlatOptimizer(flat, kind, lr=0.05, weight_decay=decay)
    reference = TORCH[kind](theirs.parameters(), lr=0.05, weight_decay=decay)
    for step in range(5):
        set_gradients(mine, theirs, step)
        optimizer.step()
        reference.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_skipped_update_changes_nothing(kind):
    mine, theirs = pair()
    optimizer = FlatOptimizer(FlatParameters(mine), kind, lr=0.05)
    set_gradients(mine, theirs, 0)
    optimizer.flat.grads[0] = float("nan")
    optimizer.update(torch.ones(()))
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    assert not any(moment.any() for moment in optimizer.moments)
    assert optimizer.steps.item() == 0


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_torchs_own_optimizer_goes_on_where_this_one_stopped(kind):
    mine, theirs = pair()
    flat = FlatParameters(mine)
    options = {"lr": 0.05, "weight_decay": 0.1}
    optimizer, reference = FlatOptimizer(flat, kind, **options), TORCH[kind](theirs.parameters(), **options)
    for step in range(4):
        set_gradients(mine, theirs, step)
        if step == 2:
            optimizer = optimizer.as_torch()
        optimizer.step()
        reference.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))


def test_schedulers_of_torch_work_on_it():
    optimizer = FlatOptimizer(FlatParameters(nn.Linear(2, 2)), "adam", lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.05
