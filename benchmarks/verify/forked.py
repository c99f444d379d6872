"""Watched runs in processes forked from one that has imported torch: the import takes twenty times as long as the run.

What is run, watched and judged is hotloop's own; only the start of the process is another. Plans that act before a
process starts get real workers.
"""

import contextlib
import gc
import importlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from hotloop.errors import NeverStepped, NotApplicable, ProtectedFile, WorkloadCrashed
from hotloop.transform import Plan, Stage
from hotloop.worker import observation
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.worker.spec import Channel, ObservationSpec, WorkerSpec
from hotloop.workload import Script, Workload
from hotloop.workloads.scratch import make_scratch

_LONGEST = 120.0  # seconds between two messages


_IMPORTED = (
    "numpy",
    "torch._dynamo",
    "torch._inductor.config",
    "torch.optim.swa_utils",
    "torch.utils.checkpoint",
    "torch.utils.data",
    "hotloop.deploy.launch",
    "hotloop.deploy.monitor",
    "hotloop.worker.main",
    "hotloop.worker.observer",
    "hotloop.worker.turns",
    "hotloop.workloads.program",
)


def preload() -> None:
    """Import what programs and those that watch them import, and run nothing."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each child copies all that it only reads


@contextlib.contextmanager
def forked_workers() -> Generator[None]:
    """Have watched runs forked from this process."""
    preload()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observation, "Worker", _start)
        yield


def _start(workload: Workload, plan: Plan, settings: Settings, *, watch: ObservationSpec) -> Any:
    if plan.at(Stage.LAUNCH):
        return Worker(workload, plan, settings, watch=watch)
    return ForkedWorker(workload, plan, settings, watch=watch)


class ForkedWorker:
    """What `watch` needs of a Worker. A context manager: leaving ends the process and all that it started."""

    def __init__(self, workload: Workload, plan: Plan, settings: Settings, *, watch: ObservationSpec) -> None:
        folders = [workload.folder]
        if isinstance(workload, Script):
            folders.append((workload.folder / workload.path).parent)
        sources = settings.folder / "sources"
        scratch = make_scratch(tuple(folders), sources=sources, may_overwrite=settings.may_overwrite)
        self._mirror = scratch.folder
        self._log = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115  # closed with the worker
        settings.cache.mkdir(parents=True, exist_ok=True)
        here, there = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            here.close()
            _become_worker(there, self._log.fileno(), settings)
        there.close()
        self._channel = Channel(here)
        self._channel.send(
            WorkerSpec(workload=workload, plan=plan, scratch=scratch, caches=(settings.cache,), watch=watch).to_data()
        )

    def __enter__(self) -> "ForkedWorker":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._channel.close()
        self._log.close()
        shutil.rmtree(self._mirror, ignore_errors=True)

    def watched(self) -> dict[str, Any]:
        """What it saw. Raises as workers do."""
        steps = 0
        while True:
            try:
                message = self._channel.receive(timeout=_LONGEST)
            except TimeoutError:
                raise NeverStepped(f"silent for {_LONGEST:.0f} s after {steps} steps: {self._last_lines()}") from None
            if message is None:
                raise WorkloadCrashed(f"it died after {steps} steps: {self._last_lines()}", kind="", traceback="")
            if message["event"] != "stepped":
                return self._last_word(message, steps)
            steps = message["steps"]

    def _last_word(self, message: dict[str, Any], steps: int) -> dict[str, Any]:
        if message["event"] == "watched":
            return message
        if message["event"] == "protected":
            raise ProtectedFile(message["message"])
        if message.get("limit"):
            raise NotApplicable(message["limit"])
        if message["event"] == "crashed":
            raise WorkloadCrashed(
                f"the program raised {message['kind']}: {message['message']}",
                kind=message["kind"],
                traceback=message["traceback"],
            )
        raise EndedEarly(steps)

    def _last_lines(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-1500:]


def _become_worker(channel: socket.socket, log: int, settings: Settings) -> NoReturn:
    from hotloop.worker.main import main

    _unwrap_steps()
    _forget_compile_threads()
    os.setpgid(0, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update({**settings.variables, "PYTHONDONTWRITEBYTECODE": "1"})
    sys.argv = ["worker", str(channel.detach())]
    try:
        main()
    finally:
        os._exit(1)


def _unwrap_steps() -> None:
    """torch wraps the step of a class of optimizers when the first one is made, which may have been in the parent."""
    from torch.optim.optimizer import Optimizer

    kinds = [Optimizer]
    for kind in kinds:
        kinds += kind.__subclasses__()
        step = vars(kind).get("step")
        if step is not None and getattr(step, "hooked", False):
            kind.step = step.__wrapped__


def _forget_compile_threads() -> None:
    """A parent that has compiled leaves its children a pool of threads that they do not have: they would wait for ever.

    torch forgets its pool of processes after a fork, and not this one (2.13).
    """
    compiling = sys.modules.get("torch._inductor.async_compile")
    if compiling is not None:
        compiling.AsyncCompile.pool.cache_clear()


def run_forked(target: Callable[[], None], *, folder: Path, arguments: Sequence[str]) -> str | None:
    """Run `target` in a child that stands in `folder`, with these arguments; what it wrote last where it failed."""
    code, printed = forked_output(target, folder=folder, arguments=arguments)
    return None if code == 0 else printed[-1500:] or f"exit code {code}"


def forked_output(target: Callable[[], None], *, folder: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """The same: the exit code (negative for a signal), and all that the child wrote."""
    with tempfile.TemporaryFile(mode="w+b") as log:
        pid = os.fork()
        if not pid:
            _run_and_leave(target, folder, arguments, log.fileno())
        _, status = os.waitpid(pid, 0)
        log.seek(0)
        return os.waitstatus_to_exitcode(status), log.read().decode(errors="replace")


def _run_and_leave(target: Callable[[], None], folder: Path, arguments: Sequence[str], log: int) -> NoReturn:
    status = 1
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        # pytest puts others in their place
        sys.stdout, sys.stderr = (open(place, "w", buffering=1, closefd=False) for place in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        _forget_compile_threads()
        sys.argv = ["program", *arguments]
        target()
        status = 0
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:  # noqa: BLE001  # whatever it is, it is what is looked for
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
