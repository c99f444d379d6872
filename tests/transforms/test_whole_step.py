import pytest
import torch
from torch import nn

from hotloop.compile import capture
from hotloop.errors import NotApplicable
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.transform import Plan
from hotloop.transforms.whole_step import WholeStep
from hotloop.workload import Job


def make_job():
    model = nn.Linear(3, 2)
    batch = (torch.randn(4, 3), torch.randn(4, 2))
    strategy = Supervised(criterion=nn.functional.mse_loss)
    return Job(model=model, optimizer=torch.optim.AdamW(model.parameters()), batches=[batch], strategy=strategy)


@pytest.mark.parametrize("transform", [WholeStep(), WholeStep(dtype="bfloat16")])
def test_a_plan_with_it_survives_toml(transform):
    assert Plan.from_data(Plan((transform,)).to_data()).transforms == (transform,)


def test_it_makes_the_job_step_through_a_capture(monkeypatch):
    monkeypatch.setattr(capture, "tally", capture.Tally())
    job, transform = make_job(), WholeStep()
    with pytest.raises(NotApplicable, match="no captured step has run"):
        transform.confirm()
    transform.apply(job)
    train(job, steps=3)
    transform.confirm()
    assert capture.tally.captures == 1


def test_autocast_is_said_to_round_more():
    assert WholeStep(dtype="bfloat16").roundoff > WholeStep().roundoff
