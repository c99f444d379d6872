"""The worker process: `python -P -m hotloop.worker.main FD`. Trains under one plan, as messages on FD say.

One of the two places that may catch everything: what the program raises becomes its last message, with the traceback.
A room above that wants a program run its own way has a module of its own, which calls `serve`.
"""

import contextlib
import ctypes
import faulthandler
import getpass
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from hotloop.transform import limit_met
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workload import Recipe, Script
from hotloop.workloads.started_plan import StartedPlan, start

if TYPE_CHECKING:
    from hotloop.workloads.hooks import Around, Callbacks

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the WorkerSpec from the socket, run the program under hooks, say how it ended."""
    serve(train_under)


def serve(train: Callable[[WorkerSpec, Channel], dict[str, Any]], channel: Channel | None = None) -> None:
    """Read the WorkerSpec and call `train` with it; say how it ended, and what it returned.

    Where no `channel` is given it is the socket that the first argument of the process names.
    """
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the warden's process group must do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    channel = channel or Channel(socket.socket(fileno=int(sys.argv[1])))
    data = channel.receive()
    if data is None:
        return
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    worker = os.getpid()
    spec = WorkerSpec.from_data(data)
    try:
        last: dict[str, Any] = {"event": "ended", **train(spec, channel)}
    except SystemExit as leave:
        last = _crash(leave, f"sys.exit({leave.code!r})")
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the program's end
        last = _crash(error, str(error) or type(error).__name__)
        last["limit"] = limit_met(spec.plan, error)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getpid() != worker:  # a child that the program forked has ended, not the worker
        os._exit(1 if last["event"] == "crashed" else 0)
    _say(channel, last)


def _say(channel: Channel, message: dict[str, Any]) -> NoReturn:
    with contextlib.suppress(OSError):
        channel.send(message)
    os._exit(0)


def _crash(error: BaseException, message: str) -> dict[str, Any]:
    """The last message for what was raised; a program that calls sys.exit has written why, and has no traceback."""
    text = "" if isinstance(error, SystemExit) else "".join(traceback.format_exception(error))
    sys.stderr.write(text)
    told = "; ".join([message, *getattr(error, "__notes__", [])])
    return {"event": "crashed", "kind": type(error).__name__, "message": told, "traceback": text}


def train_under(spec: WorkerSpec, channel: Channel) -> dict[str, Any]:
    """Train until told to stop; what there is to say where the program came to its own end before."""
    enter_scratch(spec, channel)
    from hotloop.worker.turns import Turns

    started = start(spec.plan)
    if spec.watch is not None:
        from hotloop.worker.observer import Observer

        observer = Observer(channel, started, spec.watch)
        run_to_its_end(inside(spec), started, observer, around_roots=observer.around_root)
        observer.finish()
    turns = Turns(channel, started)
    if spec.seed is not None:
        from hotloop.worker.seeding import seed_program

        seed_program(spec.seed, shift=spec.seed)
    run_to_its_end(inside(spec), started, turns)
    return {"steps": turns.steps, "turn": turns.answer()}


def run_to_its_end(
    workload: Script | Recipe, started: StartedPlan, callbacks: "Callbacks", *, around_roots: "Around | None" = None
) -> None:
    """Run the program under hooks; leaving with status 0 is an end like any other."""
    from hotloop.workloads.program import run

    try:
        run(workload, started, callbacks, around_roots=around_roots)
    except SystemExit as leave:
        if leave.code not in (None, 0):
            raise


def inside(spec: WorkerSpec) -> Script | Recipe:
    """The same workload as it lies in the scratch copy."""
    if isinstance(spec.workload, Recipe):
        return replace(spec.workload, folder=spec.scratch.copy_of(spec.workload.folder))
    path = spec.workload.folder / spec.workload.path
    copy = spec.scratch.copy_of(path.parent.resolve()) / path.name
    return replace(spec.workload, path=copy, folder=spec.scratch.copy_of(spec.workload.folder))


def enter_scratch(spec: WorkerSpec, channel: Channel) -> None:
    """Change to the scratch copy, and protect the user's files from the program for the rest of this process."""
    from hotloop.workloads.child_processes import CHILDREN, note_children
    from hotloop.workloads.protect import MADE, Made, protect

    os.chdir(spec.scratch.copy_of(spec.workload.folder))
    worker = os.getpid()

    def stop(reason: str) -> NoReturn:
        if os.getpid() == worker:  # nothing of the program's may swallow this
            _say(channel, {"event": "protected", "message": reason})
        from hotloop.errors import ProtectedFile

        raise ProtectedFile(reason)

    note_children(spec.scratch.folder / CHILDREN)
    caches = (*spec.caches, *_user_caches())
    protect(spec.scratch, caches=caches, made=Made(spec.caches[0] / MADE, spec.scratch.folder.name), stop=stop)


def _user_caches() -> tuple[Any, ...]:
    from pathlib import Path

    home = Path.home()
    variables = (
        "XDG_CACHE_HOME",
        "HF_HOME",
        "TORCH_HOME",
        "MPLCONFIGDIR",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
    )
    # Inductor keeps its precompiled headers here, whatever TORCHINDUCTOR_CACHE_DIR says.
    inductor = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
    named = (Path(os.environ[name]) for name in variables if name in os.environ)
    return (home / ".cache", home / ".config", home / ".triton", inductor, *named)


if __name__ == "__main__":
    main()
