"""Runs a workload to its end in this process, as a person would have started it."""

import runpy
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from hotloop import registry
from hotloop.errors import WorkloadError
from hotloop.import_path import ImportPathError, attribute, module_from_file
from hotloop.transform import ProgramSite, SourceLoader, Stage
from hotloop.workload import Job, Recipe, Script
from hotloop.workloads.hooks import Around, Callbacks, hooked, steps_seen
from hotloop.workloads.job_phases import JobPhases
from hotloop.workloads.started_plan import StartedPlan


def run(
    workload: Script | Recipe, started: StartedPlan, callbacks: Callbacks, *, around_roots: Around | None = None
) -> None:
    """Run either kind to its end under hooks; what it raises propagates, SystemExit too."""
    with hooked(started, callbacks, around_roots=around_roots):
        if isinstance(workload, Recipe):
            _run_recipe(workload, started, callbacks)
        else:
            with steps_seen(started, callbacks, around_roots=around_roots):
                _run_script(workload, _loader(started))


def _loader(started: StartedPlan) -> SourceLoader | None:
    """What loads the script, where a transform of stage PROGRAM says so."""
    site = ProgramSite()
    if started.plan.at(Stage.PROGRAM):
        started.visit(Stage.PROGRAM, site)
    return site.loader


def _run_script(script: Script, loader: SourceLoader | None) -> None:
    """Run a program as `python path arguments` or `python -m module arguments` would: its name is `__main__`.

    First on sys.path is its folder; that of a module is the current one. The current directory and the environment are
    set by the caller.
    """
    path = script.folder / script.path
    sys.argv = [str(path), *script.arguments]
    sys.path.insert(0, str(script.folder if script.module else path.resolve().parent))
    with loader.loading() if loader is not None else nullcontext():
        if script.module:
            runpy.run_module(script.module, run_name="__main__", alter_sys=True)
        elif loader is not None:
            loader.run_script(path)
        else:
            runpy.run_path(str(path), run_name="__main__")


def _run_recipe(recipe: Recipe, started: StartedPlan, callbacks: Callbacks) -> None:
    """Build the job, apply what acts on a job, and train it without end; `callbacks` stops it by raising."""
    from torch import Tensor

    from hotloop.train.loop import train

    build = load_build(recipe)
    job = build(recipe.seed)
    if not isinstance(job, Job):
        raise WorkloadError(f"{recipe.target} returned {type(job).__name__}; it must return a hotloop.Job")
    started.visit(Stage.STEP, job)
    started.warmup_steps = job.warmup_steps

    def on_step(loss: Tensor) -> None:
        callbacks.loss(loss)
        started.steps += 1
        phases.stepped()
        callbacks.step(job.optimizer)

    with JobPhases(job, started) as phases:
        train(job, epochs=sys.maxsize, on_step=on_step)


def load_build(recipe: Recipe) -> Callable[[int], Any]:
    """The `build(seed)` that a recipe names. Raises WorkloadError where the file has no such function."""
    path, _, function = recipe.target.partition(":")
    if path.endswith(".toml"):
        from hotloop.workloads.matrix.row_recipe import row_build

        return row_build(recipe.folder / path, function)
    if not path.endswith(".py"):
        return registry.load("workloads", recipe.target)
    file = recipe.folder / path
    sys.path.insert(0, str(file.parent))
    try:
        return attribute(module_from_file(file, file.stem), function)
    except ImportPathError as error:
        raise WorkloadError(f"{error}; name a function build(seed) that returns a hotloop.Job") from error
