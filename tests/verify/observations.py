"""Observed runs written by hand."""

import numpy as np

from hotloop.worker.observation import Observation, OptimizerSteps

STEPS = 20


def make_steps(**changes):
    """Twelve steps of an optimizer with a weight and a bias."""
    steps = {
        "names": ("0.weight", "0.bias"),
        "gradients": ((3.0, 4.0),) * 12,
        "updates": ((0.3, 0.4),) * 12,
        "moved": (1.0,) * 12,
        "gradient_sketches": {step: ((3.0, 0.0), (0.0, 4.0)) for step in (1, 6)},
        "update_sketches": {step: ((0.3, 0.0), (0.0, 0.4)) for step in (1, 6)},
    }
    return OptimizerSteps(**{**steps, **changes})


def make_observation(losses, **changes):
    """Of these losses, one a step."""
    return Observation(losses=tuple(losses), each_loss=tuple((loss,) for loss in losses), seeds_itself=True, **changes)


def make_run(*, level=1.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    losses = level * np.exp(-0.05 * np.arange(STEPS)) * (1 + noise * rng.standard_normal(STEPS))
    one = OptimizerSteps(
        names=("0.weight",), gradients=((1.0,),) * STEPS, updates=((0.1,),) * STEPS, moved=(1.0,) * STEPS
    )
    return make_observation(losses.tolist(), optimizers=(one,))
