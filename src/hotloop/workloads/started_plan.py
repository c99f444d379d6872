"""The start of a plan in a process, and which of its transforms were applied there.

What is timed, verified, diagnosed and trained for real starts here, so that all of them run the same thing.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from hotloop.errors import NotApplicable
from hotloop.transform import OptimizerSite, Plan, Stage, Telling, figures
from hotloop.workload import Job

if TYPE_CHECKING:
    from torch.optim.optimizer import Optimizer

_SITES = {Stage.DATA: "loader", Stage.DDP: "wrapped model", Stage.OPTIMIZER: "optimizer", Stage.MODULE: "model"}
_NEVER_MET = {
    Stage.PROGRAM: "it acts on the source of a script; the loop of a recipe is hotloop's own",
    Stage.DATA: "the program never built a DataLoader",
    Stage.DDP: "the program wraps no model in DistributedDataParallel; one that FSDP shards has none of its settings",
    Stage.OPTIMIZER: "the program never built an optimizer of torch's",
    Stage.MODULE: "the program never called a module with parameters",
    Stage.STEP: "it acts on the steps of recipes, which hotloop makes; a script makes its own",
}


class StartedPlan:
    """A plan in the process that it changes: how many sites each transform was applied to, and why others refused.

    `visits` counts the sites of each stage that were met, `steps` the steps that the program has made,
    `prefetched_steps` the batches that its loaders may have ready ahead of it (workers times prefetch factor, of the
    loader that has most). `phases` are the parts of training that a job told of, each with its first step;
    `warmup_steps` are those that it wants made before any is timed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.applied: dict[str, int] = {transform.name: 0 for transform in plan.transforms}
        self.refused: dict[str, str] = {}
        self.visits: Counter[Stage] = Counter()
        self._reasons: dict[str, Counter[str]] = {transform.name: Counter() for transform in plan.transforms}
        self.steps = 0
        self.prefetched_steps = 0
        self.phases: list[tuple[int, str]] = []
        self.warmup_steps = 0

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
                self._reasons[transform.name][str(reason)] += 1
            else:
                self.applied[transform.name] += 1

    def not_applied(self) -> dict[str, str]:
        """The transforms that have changed nothing in this process so far, in plan order, with the reason."""
        reasons: dict[str, str] = {}
        for transform in self.plan.transforms:
            if not self.applied[transform.name]:
                never = _NEVER_MET.get(transform.stage, f"stage {transform.stage.value!r} never came")
                reasons[transform.name] = self.refused.get(transform.name, never)
                continue
            try:
                transform.confirm()
            except NotApplicable as reason:
                reasons[transform.name] = str(reason)
        return reasons

    def sites_changed(self) -> dict[str, str]:
        """Of transforms that act on models, optimizers or loaders: how many of those met they changed, and why not all.

        For example {"autocast": "4 of 5 models (1: the program already runs under autocast)"}.
        """
        return {
            transform.name: self._sites_of(transform.name, _SITES[transform.stage])
            for transform in self.plan.transforms
            if transform.stage in _SITES
        }

    def figures(self) -> dict[str, float]:
        """What the transforms have counted in this process."""
        return {name: value for transform in self.plan.transforms for name, value in figures(transform).items()}

    def _sites_of(self, name: str, site: str) -> str:
        reasons = self._reasons[name]
        met = self.applied[name] + reasons.total()
        why = "; ".join(f"{count}: {reason}" for reason, count in reasons.items())
        told = f"{self.applied[name]} of {met} {site}{'' if met == 1 else 's'}" + (f" ({why})" if why else "")
        transform = next(one for one in self.plan.transforms if one.name == name)
        return f"{told}: {transform.told()}" if self.applied[name] and isinstance(transform, Telling) else told


def start(plan: Plan) -> StartedPlan:
    """Apply the TORCH stage; call it once, before the program runs.

    The LAUNCH stage counts as applied: the parent has set its variables, and `confirm` sees whether they took hold.
    """
    started = StartedPlan(plan)
    for transform in plan.at(Stage.LAUNCH):
        started.applied[transform.name] += 1
    started.visit(Stage.TORCH, None)
    return started


def optimizer_sites(optimizer: "Optimizer") -> list[OptimizerSite]:
    """An optimizer that is built already, as one site for each of its parameter groups."""
    kind = type(optimizer)
    return [
        OptimizerSite(kind=kind, defaults=group, parameters=tuple(group["params"])) for group in optimizer.param_groups
    ]


def start_with_job(plan: Plan, job: Job) -> StartedPlan:
    """Start a plan on a job that is built already; each of its parameter groups is one optimizer site."""
    started = start(plan)
    for site in optimizer_sites(job.optimizer):
        started.visit(Stage.OPTIMIZER, site)
    started.visit(Stage.MODULE, job.model)
    started.visit(Stage.STEP, job)
    return started
