"""The one training loop, its deferred metrics, the strategies, and phase training.

What is listed here is loaded when it is first asked for, so that `import hotloop.train` stays cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotloop.train.gradient_health import GradientHealth as GradientHealth
    from hotloop.train.gradient_health import GradientReport as GradientReport
    from hotloop.train.phases.config import PhaseConfig as PhaseConfig
    from hotloop.train.phases.phase import TrainingPhase as TrainingPhase
    from hotloop.train.phases.scheduler import PhaseScheduler as PhaseScheduler
    from hotloop.train.phases.stats import TrainerStats as TrainerStats
    from hotloop.train.phases.step_info import StepInfo as StepInfo
    from hotloop.train.phases.trainer import PhaseTrainer as PhaseTrainer

_HOME = {
    "GradientHealth": "hotloop.train.gradient_health",
    "GradientReport": "hotloop.train.gradient_health",
    "PhaseConfig": "hotloop.train.phases.config",
    "PhaseScheduler": "hotloop.train.phases.scheduler",
    "PhaseTrainer": "hotloop.train.phases.trainer",
    "StepInfo": "hotloop.train.phases.step_info",
    "TrainerStats": "hotloop.train.phases.stats",
    "TrainingPhase": "hotloop.train.phases.phase",
}

__all__ = [
    "GradientHealth",
    "GradientReport",
    "PhaseConfig",
    "PhaseScheduler",
    "PhaseTrainer",
    "StepInfo",
    "TrainerStats",
    "TrainingPhase",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hotloop.train' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
