"""Jobs built anew for one observation, with dropout off and a plan applied as asked."""

from collections.abc import Callable

import torch

from hotloop.verify.dropout import silence
from hotloop.verify.recast import RecastBatches
from hotloop.workload import Job

Build = Callable[[], Job]  # a fresh job, equal at each call
Prepare = Callable[[Job], None]  # changes a live job in place, as a plan does


def fresh_job(
    build: Build, *, prepare: Prepare | None = None, dtype: torch.dtype | None = None, silent: bool = True
) -> Job:
    """A fresh job, recast, its dropout off where `silent`, and then prepared; recast, its batches are another one's."""
    job = build()
    if dtype is not None:
        job.model.to(dtype)
        twin = build()
        silence(twin.model)
        job.batches = RecastBatches(twin, dtype)
    if silent:
        silence(job.model)
    if prepare is not None:
        # Code compiled for an earlier job would be found again, or counted against Dynamo's limit on recompiles.
        torch.compiler.reset()
        prepare(job)
    return job
