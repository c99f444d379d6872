import pytest
import torch
from torch import nn

from hotloop.errors import NotApplicable
from hotloop.train.strategies.supervised import Supervised
from hotloop.transform import Plan, Stage, TransformBase
from hotloop.workload import Job
from hotloop.workloads.started_plan import StartedPlan, start, start_with_job


class Odd(TransformBase):
    """Applies to odd numbers; is in effect only where `holds`."""

    holds: bool = True

    name = "odd"
    stage = Stage.TORCH

    def apply(self, site):
        if site is not None and site % 2 == 0:
            raise NotApplicable(f"{site} is even")

    def confirm(self):
        if not self.holds:
            raise NotApplicable("the program took it back")


class Launched(Odd):
    name = "launched"
    stage = Stage.LAUNCH


class Grouped(TransformBase):
    """Halves the learning rate of parameter groups that have a large one."""

    name = "grouped"
    stage = Stage.OPTIMIZER

    def apply(self, site):
        if site.defaults["lr"] < 1.0:
            raise NotApplicable(f"lr={site.defaults['lr']} is small")
        site.defaults["lr"] /= 2


def test_starting_counts_the_launch_stage_and_applies_the_torch_stage():
    assert start(Plan((Odd(), Launched()))).applied == {"launched": 1, "odd": 1}


def test_the_first_reason_of_a_transform_that_refuses_is_kept():
    started = StartedPlan(Plan((Odd(),)))
    for site in (2, 4, 5):
        started.visit(Stage.TORCH, site)
    assert (started.applied, started.refused) == ({"odd": 1}, {"odd": "2 is even"})
    assert started.not_applied() == {}


def test_what_met_no_site_refused_each_or_is_not_in_effect_has_not_been_applied():
    started = start(Plan((Launched(holds=False), Grouped(), Odd())))
    assert started.not_applied() == {
        "launched": "the program took it back",
        "grouped": "the program never built an optimizer of torch's",
    }
    even = StartedPlan(Plan((Odd(holds=False),)))
    even.visit(Stage.TORCH, 2)
    assert even.not_applied() == {"odd": "2 is even"}


def test_other_errors_are_the_programs():
    with pytest.raises(TypeError):
        StartedPlan(Plan((Odd(),))).visit(Stage.TORCH, "text")


def test_each_parameter_group_of_a_job_that_is_built_is_a_site():
    model = nn.Linear(2, 1)
    groups = [{"params": [model.weight], "lr": 4.0}, {"params": [model.bias], "lr": 0.5}]
    job = Job(
        model=model,
        optimizer=torch.optim.SGD(groups),
        batches=[],
        strategy=Supervised(criterion=nn.functional.mse_loss),
    )
    started = start_with_job(Plan((Grouped(),)), job)
    assert [group["lr"] for group in job.optimizer.param_groups] == [2.0, 0.5]
    assert (started.applied, started.refused) == ({"grouped": 1}, {"grouped": "lr=0.5 is small"})


class Bigger(TransformBase):
    """Applies to models of more than one parameter."""

    name = "bigger"
    stage = Stage.MODULE

    def apply(self, site):
        if len(list(site.parameters())) < 2:
            raise NotApplicable("one parameter")


def test_the_reach_counts_what_was_met_and_says_why_some_was_not_changed():
    started = StartedPlan(Plan((Odd(), Grouped(), Bigger())))
    assert started.sites_changed() == {"grouped": "0 of 0 optimizers", "bigger": "0 of 0 models"}
    for bias in (True, True, False):
        started.visit(Stage.MODULE, nn.Linear(2, 2, bias=bias))
    assert started.sites_changed()["bigger"] == "2 of 3 models (1: one parameter)"
