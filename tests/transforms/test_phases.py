"""Phases on programs that know nothing of them."""

import pytest
import torch
from torch import nn

from hotloop.transform import Plan, Promise, figures
from hotloop.transforms.learning_rate import LearningRate
from hotloop.transforms.phases import Phases

pytestmark = pytest.mark.usefixtures("restored")
HOLD = Phases(predictor="hold", full_steps=1, predict_steps=1, correct_every=0, guard=False)


class Counted(torch.autograd.Function):
    """Passes its input on, and counts how often it is differentiated."""

    calls = 0

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        Counted.calls += 1
        return gradient


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, *, clip: float = 0.0) -> list[float]:
    """A loop as people write it, on one full batch; its losses."""
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    losses = []
    Counted.calls = 0
    for _ in range(steps):
        optimizer.zero_grad()
        loss = Counted.apply(nn.functional.mse_loss(model(inputs)[:, 0], inputs.sum(1)))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_every_second_backward_pass_is_left_out_and_its_gradient_is_the_last_one(under, mlp) -> None:
    started, hooks = under(HOLD)
    with hooks:
        losses = train(mlp, torch.optim.SGD(mlp.parameters(), lr=0.05), 21)
    assert started.not_applied() == {}
    assert Counted.calls == 11  # the first step is only looked at: who steps is not known before
    assert figures(HOLD)["predicted_steps"] == 10
    assert losses[-1] < 0.5 * losses[0]


def test_the_program_clips_predicted_gradients_as_ever(under, mlp) -> None:
    _, hooks = under(HOLD)
    norms = []
    with hooks:
        optimizer = torch.optim.SGD(mlp.parameters(), lr=0.05)
        optimizer.register_step_pre_hook(lambda *_: norms.append(norm_of(mlp)))
        train(mlp, optimizer, 12, clip=0.1)
    assert max(norms) <= 0.1 + 1e-6
    assert min(norms) > 0


def norm_of(model: nn.Module) -> float:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm().item()


@pytest.mark.parametrize(
    ("fault", "words"),
    [("closure", "stepped with a closure"), ("second", "several optimizers"), ("scaler", "scales its loss")],
)
def test_what_cannot_be_predicted_soundly_is_refused_and_trains_on(under, mlp, fault, words) -> None:
    started, hooks = under(HOLD)
    with hooks:
        optimizer = torch.optim.SGD(mlp.parameters(), lr=0.01)
        other = torch.optim.SGD(mlp.parameters(), lr=0.01)
        train(mlp, optimizer, 3)
        if fault == "closure":
            optimizer.step(lambda: mlp(torch.ones(1, 4)).sum())
        elif fault == "second":
            other.step()
        else:
            torch.amp.GradScaler("cpu").scale(torch.ones(()))
        train(mlp, optimizer, 6)
    assert Counted.calls == 6
    assert words in started.not_applied()["phases"]


def test_the_guard_goes_back_to_true_gradients_under_noise(under) -> None:
    plan = Phases(full_steps=4, predict_steps=8)
    _, hooks = under(plan)
    model = nn.Linear(20, 1)
    with hooks:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(torch.randn(4, 20)), torch.randn(4, 1)).backward()
            optimizer.step()
    assert figures(plan)["predicted_steps"] <= 8
    assert figures(plan)["suspensions"] >= 2


def test_a_guard_over_zeros_is_refused_and_the_promise_is_statistical() -> None:
    with pytest.raises(ValueError, match="give guard = false"):
        Phases(predictor="coast")
    assert Plan((HOLD,)).promise is Promise.STATISTICAL
    assert Plan((HOLD,)).comparable == Plan()


def test_a_learning_rate_is_larger_in_the_step_alone(under) -> None:
    started, hooks = under(LearningRate(factor=3.0))
    with hooks:
        weight = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        weight.sum().backward()
        optimizer.step()
    assert weight.item() == pytest.approx(0.7)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert started.not_applied() == {}
