import pytest
import torch
from torch import nn

from hotloop.errors import PhaseError
from hotloop.train import PhaseConfig
from hotloop.train.loop import train
from hotloop.train.phases.phased_step import PhasedStep
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

SHORT = PhaseConfig(full_steps=2, predict_steps=4, correct_every=2, adaptive_phases=False)


def make_job(**options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    inputs = torch.randn(32, 4)
    strategy = Supervised(criterion=nn.functional.mse_loss)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    batches = [(inputs, inputs.sum(1, keepdim=True).tanh())]
    return Job(model=model, optimizer=optimizer, batches=batches, strategy=strategy, **options)


def test_the_loop_learns_with_fewer_backward_passes() -> None:
    job, calls = make_job(), []
    job.model[0].weight.register_post_accumulate_grad_hook(lambda parameter: calls.append(1))
    job.step = PhasedStep(job, SHORT, guard=False)
    losses = []
    report = train(job, steps=70, on_step=lambda loss: losses.append(loss.item()))
    assert len(calls) == 40
    assert losses[-1] < losses[0] / 3
    assert report.count == 40 * 32
    assert job.step.trainer.get_stats().predict_steps == 30


def test_with_nothing_predicted_the_weights_are_those_of_the_plain_loop_to_the_last_bit() -> None:
    plain, phased = make_job(clip_norm=0.1), make_job(clip_norm=0.1)
    phased.step = PhasedStep(phased, SHORT.replace(predict_steps=0))
    for job in (plain, phased):
        train(job, steps=20)
    for mine, other in zip(plain.model.parameters(), phased.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_what_does_not_fit_the_job_is_refused() -> None:
    with pytest.raises(ValueError, match="leave max_grad_norm out"):
        PhasedStep(make_job(clip_norm=1.0), SHORT.replace(max_grad_norm=2.0))
    with pytest.raises(PhaseError, match="use PhaseTrainer"):
        PhasedStep(make_job(), SHORT.replace(gradient_accumulation=2))
