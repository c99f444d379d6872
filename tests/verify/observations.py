"""Observed runs written by hand."""

import numpy as np

from hotloop.worker.observation import Observation

STEPS = 20


def make_run(*, level=1.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    losses = level * np.exp(-0.05 * np.arange(STEPS)) * (1 + noise * rng.standard_normal(STEPS))
    return Observation(
        losses=tuple(losses.tolist()),
        names=("0.weight",),
        gradients=((1.0,),) * STEPS,
        updates=((0.1,),) * STEPS,
        buffers=((),) * STEPS,
        moved=(1.0,) * STEPS,
        switches={},
        seeds_itself=True,
        applied={},
        refused={},
    )
