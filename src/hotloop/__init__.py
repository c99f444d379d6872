"""hotloop makes PyTorch training faster and proves it.

Everything here is loaded when it is first asked for, so that `import hotloop` costs nothing and never imports torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hotloop.version import __version__ as __version__

if TYPE_CHECKING:
    from hotloop.measurement import Environment as Environment
    from hotloop.measurement import Interval as Interval
    from hotloop.proof.prove import prove as prove
    from hotloop.transform import Plan as Plan
    from hotloop.transform import Transform as Transform
    from hotloop.transform import load_plan as load_plan
    from hotloop.trial import Result as Result
    from hotloop.trial import Trial as Trial
    from hotloop.tune.find_plan import find_plan as find_plan
    from hotloop.verdict import Outcome as Outcome
    from hotloop.verdict import Verdict as Verdict
    from hotloop.workload import Job as Job
    from hotloop.workload import Loss as Loss
    from hotloop.workload import Recipe as Recipe
    from hotloop.workload import Script as Script
    from hotloop.workloads.own_loop import apply as apply
    from hotloop.workloads.own_loop import compile_step as compile_step

_HOME = {
    "Environment": "hotloop.measurement",
    "Interval": "hotloop.measurement",
    "Job": "hotloop.workload",
    "Loss": "hotloop.workload",
    "Outcome": "hotloop.verdict",
    "Plan": "hotloop.transform",
    "Recipe": "hotloop.workload",
    "Result": "hotloop.trial",
    "Script": "hotloop.workload",
    "Transform": "hotloop.transform",
    "Trial": "hotloop.trial",
    "Verdict": "hotloop.verdict",
    "apply": "hotloop.workloads.own_loop",
    "compile_step": "hotloop.workloads.own_loop",
    "find_plan": "hotloop.tune.find_plan",
    "load_plan": "hotloop.transform",
    "prove": "hotloop.proof.prove",
}

__all__ = [
    "Environment",
    "Interval",
    "Job",
    "Loss",
    "Outcome",
    "Plan",
    "Recipe",
    "Result",
    "Script",
    "Transform",
    "Trial",
    "Verdict",
    "apply",
    "compile_step",
    "find_plan",
    "load_plan",
    "prove",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hotloop' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
