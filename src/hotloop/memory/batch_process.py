"""The process in which sizes of batches are tried: `python -P -m hotloop.memory.batch_process FD`.

It builds the job of a recipe and answers {"do": "block", "size", "steps", "warmup"} with the seconds of a step, and
{"do": "step", "size"} where one step of so many samples fits. Memory that ends is its last answer: what it had is gone
with it.
"""

import itertools
import math
import os
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.compile.accumulation import AccumulatedStep, samples_of
from hotloop.errors import NotApplicable, WorkloadError
from hotloop.machine.memory import tells_of_no_memory
from hotloop.worker.main import enter_scratch, inside, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workload import Job, Recipe
from hotloop.workloads.program import load_build


class BatchTrial:
    """A job whose steps are made with microbatches of any size."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._step = AccumulatedStep(job, microbatches=1)
        self._batches = self._endless(job)
        self._first = next(self._batches)
        self.global_batch = samples_of(pytree.tree_flatten(self._first)[0])
        self._has_cuda = next(job.model.parameters()).is_cuda

    def block(self, size: int, steps: int, warmup: int) -> float:
        """Mean seconds of `steps` steps of whole batches in microbatches of `size`, after `warmup` untimed ones."""
        self._step.microbatches = math.ceil(self.global_batch / size)
        for _ in range(warmup):
            self._step(next(self._batches))
        began = self._now()
        for _ in range(steps):
            self._step(next(self._batches))
        return (self._now() - began) / steps

    def one_step(self, size: int) -> None:
        """A step with a batch of `size` samples, those of the first batch as often as it takes."""
        self._step.microbatches = 1
        leaves, shape = pytree.tree_flatten(self._first)
        self._step(pytree.tree_unflatten([_of_size(leaf, size) for leaf in leaves], shape))
        self._now()

    def _now(self) -> float:
        """Seconds on a clock: of one thread its CPU time, which does not count what other processes do meanwhile."""
        if self._has_cuda:
            torch.cuda.synchronize()
        elif torch.get_num_threads() == 1:
            return time.process_time()
        return time.perf_counter()

    @staticmethod
    def _endless(job: Job) -> Iterator[Any]:
        return itertools.chain.from_iterable(itertools.repeat(job.batches))


def _of_size(leaf: Any, size: int) -> Any:
    if not isinstance(leaf, Tensor) or not leaf.dim():
        return leaf
    return torch.cat([leaf] * math.ceil(size / leaf.shape[0]))[:size]


def limit_memory(room: int) -> None:
    """Let this process take `room` bytes on top of what it has: address space, and memory of the device with CUDA."""
    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + room) / total))
        return
    import resource

    pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: SIM115
    mapped = pages * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + room, hard))


def _train(spec: WorkerSpec, channel: Channel) -> NoReturn:
    enter_scratch(spec, channel)
    recipe = inside(spec)
    assert isinstance(recipe, Recipe)
    job = load_build(recipe)(recipe.seed)
    if not isinstance(job, Job):
        raise WorkloadError(f"{recipe.target} returned {type(job).__name__}; it must return a hotloop.Job")
    trial: BatchTrial | None = None
    while (message := channel.receive()) is not None:
        try:
            if trial is None:
                trial = BatchTrial(job)
                limit_memory(message["room"])
            answer = _answer(trial, message)
        except NotApplicable as reason:
            answer = {"refused": str(reason)}
        except (MemoryError, RuntimeError) as error:  # torch has RuntimeError where memory of the host ends
            if not tells_of_no_memory(type(error).__name__, str(error)):
                raise
            channel.send({"event": "answer", "out_of_memory": True})
            os._exit(0)
        channel.send({"event": "answer", **answer})
    os._exit(0)


def _answer(trial: BatchTrial, message: dict[str, Any]) -> dict[str, Any]:
    if message["do"] == "block":
        return {"seconds": trial.block(message["size"], message["steps"], message["warmup"])}
    if message["do"] == "step":
        trial.one_step(message["size"])
        return {}
    return {"global_batch": trial.global_batch}


if __name__ == "__main__":
    serve(_train)
