"""The interpreter that a workload runs under, and how hotloop is found there."""

import sys
from pathlib import Path

import psutil

from hotloop.errors import MeasurementError
from hotloop.workload import Script, Workload

_PACKAGE = Path(__file__).parents[1]


def interpreter(workload: Workload) -> str:
    """Path of the Python that runs the workload."""
    return workload.python or sys.executable


def package_path(workload: Workload, folder: Path) -> str:
    """What to add to PYTHONPATH for a worker to find hotloop.

    The folder that hotloop was imported from may hold a torch of its own, which another interpreter must not find
    before its own: that one gets a folder inside `folder` with links to hotloop and psutil alone.
    """
    if not workload.python:
        return str(_PACKAGE.parent)
    links = folder / "packages"
    links.mkdir(parents=True, exist_ok=True)
    for package in (_PACKAGE, Path(str(psutil.__file__)).parent):
        link = links / package.name
        if not link.is_symlink():
            link.symlink_to(package)
    return str(links)


def module_of(workload: Workload, program: tuple[str, ...]) -> tuple[str, ...]:
    """The module that a worker's process runs, and its arguments: of several ranks, the one that starts them all.

    Raises MeasurementError for several ranks and a program that looks into a single process.
    """
    if not isinstance(workload, Script) or workload.num_ranks == 1:
        return program
    if program[0] != "hotloop.worker.main":
        raise MeasurementError(
            "this looks into one process, and the program has several ranks: give it one rank; which of several is the "
            "slowest, and what it waits for, tune and prove tell"
        )
    return ("hotloop.worker.ranks",)
