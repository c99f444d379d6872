"""The start of a plan in a process, and which of its transforms were applied there.

What is timed, verified, diagnosed and trained for real starts here, so that all of them run the same thing.
"""

from collections import Counter
from typing import Any

from hotloop.errors import NotApplicable
from hotloop.transform import OptimizerSite, Plan, Stage
from hotloop.workload import Job

_NEVER_MET = "the program never showed it a site (no DataLoader, no optimizer, no root module with parameters)"


class StartedPlan:
    """A plan in the process that it changes: how many sites each transform was applied to, and why others refused.

    `visits` counts the sites of each stage that were met, `steps` the steps that the program has made,
    `prefetched_steps` the batches that its loaders may have ready ahead of it (workers times prefetch factor, of the
    loader that has most).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.applied: dict[str, int] = {transform.name: 0 for transform in plan.transforms}
        self.refused: dict[str, str] = {}
        self.visits: Counter[Stage] = Counter()
        self.steps = 0
        self.prefetched_steps = 0

    def visit(self, stage: Stage, site: Any) -> None:
        """Apply the transforms of a stage to one site, in plan order.

        The first reason of each that refuses is kept; any other error is the program's and propagates.
        """
        self.visits[stage] += 1
        for transform in self.plan.at(stage):
            try:
                transform.apply(site)
            except NotApplicable as reason:
                self.refused.setdefault(transform.name, str(reason))
            else:
                self.applied[transform.name] += 1

    def not_applied(self) -> dict[str, str]:
        """The transforms that have changed nothing in this process so far, in plan order, with the reason."""
        reasons: dict[str, str] = {}
        for transform in self.plan.transforms:
            if not self.applied[transform.name]:
                reasons[transform.name] = self.refused.get(transform.name, _NEVER_MET)
                continue
            try:
                transform.confirm()
            except NotApplicable as reason:
                reasons[transform.name] = str(reason)
        return reasons


def start(plan: Plan) -> StartedPlan:
    """Apply the TORCH stage; call it once, before the program runs.

    The LAUNCH stage counts as applied: the parent has set its variables, and `confirm` sees whether they took hold.
    """
    started = StartedPlan(plan)
    for transform in plan.at(Stage.LAUNCH):
        started.applied[transform.name] += 1
    started.visit(Stage.TORCH, None)
    return started


def start_with_job(plan: Plan, job: Job) -> StartedPlan:
    """Start a plan on a job that is built already; each of its parameter groups is one optimizer site."""
    started = start(plan)
    for group in job.optimizer.param_groups:
        started.visit(Stage.OPTIMIZER, OptimizerSite(kind=type(job.optimizer), defaults=group))
    started.visit(Stage.MODULE, job.model)
    started.visit(Stage.STEP, job)
    return started
