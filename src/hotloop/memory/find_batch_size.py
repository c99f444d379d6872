"""Finds the fastest size of microbatches of a recipe, and the largest batch that fits, in processes of their own."""

import math
import random
import sys
import time
from dataclasses import replace
from typing import Any

from hotloop.errors import NotApplicable, WorkloadCrashed, WorkloadError
from hotloop.machine.environment import record_environment
from hotloop.machine.memory import free_memory
from hotloop.memory.batch_size import BatchSize, BatchSizeSearch, largest_batch
from hotloop.proof.session_folder import session_folder
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Recipe, Workload

_PROCESS = "hotloop.memory.batch_process"
_SHARE_OF_FREE = 0.8  # of memory: beyond that the system would swap, or end processes
_BLOCK_SECONDS = 0.1
_MOST_STEPS = 50
_BLOCK_LIMIT = 600.0  # seconds without an answer after which a trial is given up
_NO_THREAD = "libgomp: Thread creation failed"
_MOST_TIMES = 1024  # the batch of the recipe: a batch that is larger than that tells nothing more

WHY_NO_SCRIPT = (
    "a script makes its batches itself, and cutting them from outside could change what it trains: write a recipe "
    "(build(seed) -> Job) and give file.py:build"
)


def find_batch_size(
    workload: Workload,
    *,
    memory: int | None = None,
    with_largest: bool = False,
    may_overwrite: tuple[str, ...] = (),
    seconds: float = 120.0,
) -> BatchSize:
    """The fastest size of microbatches at the recipe's own global batch, and with `with_largest` the largest batch.

    Trials run in a process of its own, which may take `memory` bytes on top of what it has when the job is built (None:
    four fifths of what is free); a size that needs more ends that process, and the next one goes on. After `seconds`
    the fastest size so far is the answer. Raises
    WorkloadError for a script, NotApplicable where batches of the recipe cannot be cut or not even one sample fits.
    """
    if not isinstance(workload, Recipe):
        raise WorkloadError(f"cannot search batch sizes of {workload.title}: {WHY_NO_SCRIPT}")
    environment = record_environment(tuple(sys.argv), workload.folder)
    with session_folder() as folder:
        settings = Settings(
            folder=folder, cores=environment.cores, may_overwrite=may_overwrite, first_step_limit=_BLOCK_LIMIT
        )
        with BatchTrials(workload, settings, room=memory or _free()) as trials:
            global_batch, deadline = trials.global_batch, time.monotonic() + seconds
            found = BatchSizeSearch(
                global_batch=global_batch,
                measure=trials.block,
                order=random.Random(0),
                is_over=lambda: time.monotonic() > deadline,
            ).run()
            if found is None:
                raise NotApplicable(
                    f"not even one sample of {workload.title} fits into {trials.room / 2**20:.0f} MiB; give more memory"
                )
            if not with_largest:
                return found
            largest, is_bound = largest_batch(trials.fits, start=global_batch, most=_MOST_TIMES * global_batch)
            return replace(found, largest=largest, is_bound=is_bound)


def try_batch_sizes(
    workload: Workload, *, memory: int | None = None, may_overwrite: tuple[str, ...] = ()
) -> dict[str, object]:
    """The JSON data of what was found, or {"not_searched": reason}: of a script, or of a recipe that cannot be cut."""
    try:
        found = find_batch_size(workload, memory=memory, with_largest=True, may_overwrite=may_overwrite)
    except NotApplicable as reason:
        return {"not_searched": str(reason)}
    except WorkloadCrashed:
        raise
    except WorkloadError as reason:
        if isinstance(workload, Recipe):
            raise
        return {"not_searched": str(reason)}
    return found.to_data()


class BatchTrials:
    """The process that tries sizes, started anew after each that memory did not suffice for. A context manager."""

    def __init__(self, recipe: Recipe, settings: Settings, *, room: int) -> None:
        self.room = room
        self.processes = 0
        self._recipe = recipe
        self._settings = settings
        self._worker: Worker | None = None
        self._steps = 0
        self._warm: set[int] = set()

    def __enter__(self) -> "BatchTrials":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def global_batch(self) -> int:
        """Samples in a batch of the recipe. Raises NotApplicable where its batches cannot be cut."""
        return int(self._required({"do": "tell"})["global_batch"])

    def block(self, size: int) -> float | None:
        """Seconds of a step with microbatches of `size`; None where memory did not suffice.

        The first block says how many steps one has, the same for all sizes.
        """
        if not self._steps:
            first = self._ask({"do": "block", "size": size, "steps": 1, "warmup": 1})
            if first is None:
                return None
            self._steps = max(1, min(_MOST_STEPS, math.ceil(_BLOCK_SECONDS / first["seconds"])))
        is_warm = size in self._warm and self._steps == 1  # so long a step does not feel what its neighbour left
        found = self._ask({"do": "block", "size": size, "steps": self._steps, "warmup": 0 if is_warm else 1})
        if found is None:
            return None
        self._warm.add(size)
        return float(found["seconds"])

    def fits(self, size: int) -> bool:
        """Whether a step with a batch of `size` samples at once has memory enough."""
        return self._ask({"do": "step", "size": size}) is not None

    def _required(self, message: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(message)
        if answer is None:
            raise NotApplicable(f"{self._recipe.title} does not fit into {self.room / 2**20:.0f} MiB as it is built")
        return answer

    def _ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where memory ended, and the process with it."""
        if self._worker is None:
            self.processes += 1
            self._worker = Worker(self._recipe, Plan(), self._settings, program=(_PROCESS,))
        try:
            answer = self._worker.ask({**message, "room": self.room})
        except WorkloadCrashed as crash:
            if not is_end_of_memory(crash):
                raise
            answer = {"out_of_memory": True}
        if answer.get("out_of_memory"):
            self._end()
            return None
        if "refused" in answer:
            raise NotApplicable(answer["refused"])
        return answer

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None
            self._warm.clear()


def is_end_of_memory(crash: WorkloadCrashed) -> bool:
    """Killed by the kernel, or ended by a library that cannot go on without the memory that it asked for.

    Where OpenMP has no room left for the stack of a thread it writes that and leaves with status 1.
    """
    return crash.kind in ("OutOfMemory", "status -6", "status -11") or _NO_THREAD in crash.traceback


def _free() -> int:
    free = free_memory()
    return int(_SHARE_OF_FREE * (free.host if free.device is None else free.device))
