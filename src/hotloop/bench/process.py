"""The process that `hotloop bench` starts for each row: `python -P -m hotloop.bench.process FD ASKED`.

`ASKED` is the JSON of what to measure. A recipe or a model is built here and trained by the one loop; a script is
followed by its optimizer, and has no parts.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import torch

from hotloop.bench.asked import Asked
from hotloop.bench.parts import time_parts, wait_for_device
from hotloop.bench.step_clock import StepClock
from hotloop.bench.traced import traced
from hotloop.diagnose.dynamo import num_graphs
from hotloop.errors import WorkloadError
from hotloop.train.loop import train
from hotloop.transform import Stage
from hotloop.worker.main import enter_scratch, inside, run_to_its_end, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workload import Job, Recipe
from hotloop.workloads.hooks import hooked
from hotloop.workloads.matrix.row_job import load_model, model_job
from hotloop.workloads.program import load_build
from hotloop.workloads.started_plan import StartedPlan, start

_CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_MOST_PART_SECONDS, _FEWEST_PARTS = 2.0, 10


class _Enough(Exception):
    """The last step has ended."""


def _measure(spec: WorkerSpec, channel: Channel) -> dict[str, Any]:
    asked = Asked.model_validate_json(sys.argv[2])
    enter_scratch(spec, channel)
    started = start(spec.plan)
    if isinstance(spec.workload, Recipe):
        found = _measure_job(inside(spec), asked, started, channel)
    else:
        _measure_script(spec, asked, started, channel)
    channel.send({"event": "watched", "bench": {**found, "graphs": num_graphs()}})
    return {}


def _clock(asked: Asked, started: StartedPlan, channel: Channel, on_end: Callable[[], None]) -> StepClock:
    def beat(steps: int) -> None:
        channel.send({"event": "stepped", "steps": steps})

    return StepClock(
        started,
        warmup=asked.warmup,
        steps=asked.steps,
        converge=asked.converge,
        clock=_CLOCKS[asked.clock],
        beat=beat,
        on_end=on_end,
    )


def _measure_script(spec: WorkerSpec, asked: Asked, started: StartedPlan, channel: Channel) -> NoReturn:
    """Follow a script until its last step is through; nothing of the program's may hold that up."""

    def finish() -> NoReturn:
        report = clock.report()
        channel.send({"event": "watched", "bench": {**report, "load": report["ready_seconds"], "graphs": num_graphs()}})
        os._exit(0)

    clock = _clock(asked, started, channel, finish)
    run_to_its_end(inside(spec), started, traced(asked.trace, clock, after=asked.warmup))
    finish()


def _measure_job(workload: Any, asked: Asked, started: StartedPlan, channel: Channel) -> dict[str, Any]:
    def leave() -> NoReturn:
        raise _Enough

    clock = _clock(asked, started, channel, leave)
    count = 0

    with hooked(started, clock):
        job, load = _built(workload, asked)
        started.visit(Stage.STEP, job)
        callbacks = traced(asked.trace, clock, after=asked.warmup)

        def on_step(loss: torch.Tensor) -> None:
            callbacks.loss(loss)
            started.steps += 1
            callbacks.step(job.optimizer)

        clock.begin()
        with suppress(_Enough):
            train(job, epochs=sys.maxsize, on_step=on_step)
        parts: Mapping[str, Any] = {}
        if job.step is None and not asked.trace:
            parts, count = _parts(job, asked, usual=clock.report()["step"])
    return {**clock.report(), "load": load, "parts": parts, "count": count}


def _built(workload: Any, asked: Asked) -> tuple[Job, float]:
    """The job, and the seconds until its model was there: importing and building, for a recipe the whole job."""
    began = time.perf_counter()
    if asked.model is not None:
        torch.manual_seed(asked.seed)
        model = load_model(asked.model, folder=Path(workload.folder))
        wait_for_device()
        load = time.perf_counter() - began
        return model_job(asked.model, model, seed=asked.seed), load
    job = load_build(workload)(workload.seed)
    wait_for_device()
    if not isinstance(job, Job):
        raise WorkloadError(f"{workload.target} returned {type(job).__name__}; it must return a hotloop.Job")
    return job, time.perf_counter() - began


def _parts(job: Job, asked: Asked, *, usual: list[float]) -> tuple[dict[str, Any], int]:
    """Forward and backward as a step makes them, without its update; and how many samples a batch holds."""
    counts: list[Any] = [0]

    def forward(batch: Any) -> torch.Tensor:
        loss = job.strategy.loss(job.model, batch)
        counts[0] = loss.count
        return loss.value

    def empty() -> None:
        job.optimizer.zero_grad(set_to_none=True)

    step = max(1e-6, sum(usual) / max(1, len(usual)))
    steps = max(_FEWEST_PARTS, min(len(usual), int(_MOST_PART_SECONDS / step)))
    clock = _CLOCKS[asked.clock]
    parts = time_parts(forward, job.batches, warmup=asked.warmup, steps=steps, after={}, on_step=empty, clock=clock)
    return parts, int(counts[0])


if __name__ == "__main__":
    serve(_measure)
