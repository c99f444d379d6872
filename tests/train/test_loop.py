import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.compile.capture import CapturedStep
from hotloop.errors import WorkloadError
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

SYNCS = {"_local_scalar_dense", "item", "nonzero", "equal", "is_nonzero", "allclose"}


class Spy(TorchDispatchMode):
    """Notes every operation that makes the host wait for the device."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in SYNCS:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def make_job(*, sizes=(4, 4, 2), optimizer=torch.optim.SGD, lr=0.1):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return Job(
        model=model,
        optimizer=optimizer(model.parameters(), lr=lr),
        batches=[(torch.randn(size, 3), torch.randn(size, 2)) for size in sizes],
        strategy=Supervised(criterion=nn.functional.mse_loss),
    )


def test_the_losses_are_identical_to_those_of_the_loop_written_by_hand():
    mine, theirs, losses, expected = make_job(), make_job(), [], []
    train(mine, epochs=5, on_step=lambda loss: losses.append(loss.item()))
    for inputs, targets in theirs.batches * 5:
        loss = nn.functional.mse_loss(theirs.model(inputs), targets)
        loss.backward()
        theirs.optimizer.step()
        theirs.optimizer.zero_grad()
        expected.append(loss.item())
    assert losses == expected


def test_steps_run_on_across_epochs():
    assert train(make_job(), steps=7).steps == 7
    assert train(make_job(), epochs=2).steps == 6
    assert train(make_job(), steps=4, epochs=2).steps == 4


def test_the_mean_is_that_of_all_samples_when_batches_are_uneven():
    job = make_job(lr=0.0)
    inputs, targets = (torch.cat(parts) for parts in zip(*job.batches, strict=True))
    expected = nn.functional.mse_loss(job.model(inputs), targets).item()
    report = train(job, epochs=1)
    assert report.loss == pytest.approx(expected, rel=1e-6)
    assert report.count == 10


def test_reports_cover_every_step_once():
    reports = []
    total = train(make_job(), steps=7, report_every=3, on_report=reports.append)
    assert [report.steps for report in reports] == [3, 3, 1]
    mean = sum(report.loss * report.count for report in reports) / sum(report.count for report in reports)
    assert total.loss == pytest.approx(mean)


def test_on_step_may_raise_to_stop():
    def stop(loss):
        assert not loss.requires_grad
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_job(), epochs=1, on_step=stop)


def test_gradients_are_clipped_and_the_schedule_advances():
    job = make_job(lr=1.0)
    job.clip_norm, job.scheduler = 1e-3, torch.optim.lr_scheduler.StepLR(job.optimizer, 2, gamma=0.5)
    before = [parameter.clone() for parameter in job.model.parameters()]
    train(job, steps=1)
    moved = torch.cat([(a - b).flatten() for a, b in zip(job.model.parameters(), before, strict=True)]).norm()
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)
    train(job, steps=1)
    assert job.optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_no_step_waits_for_the_device(optimizer, captured):
    job = make_job(sizes=(4,), optimizer=lambda parameters, lr: optimizer(parameters, lr=lr, fused=True))
    job.clip_norm = 1.0
    if captured:
        job.step = CapturedStep(job, backend="aten")
    train(job, steps=3)
    with Spy() as spy:
        train(job, steps=300)
    assert spy.seen == []


def test_the_spy_sees_a_read():
    with Spy() as spy:
        torch.ones(()).item()
    assert spy.seen == ["_local_scalar_dense"]


def test_batches_that_can_be_read_only_once_are_an_error():
    job = make_job()
    job.batches = iter(job.batches)
    with pytest.raises(WorkloadError, match="epoch 2 gave no batch"):
        train(job, steps=10)


@pytest.mark.parametrize("limits", [{}, {"steps": 0}, {"epochs": -1}, {"steps": 1, "report_every": 0}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(ValueError, match=r"at least 1|give one of them"):
        train(make_job(), **limits)
