"""The parent's side of a worker process: start it, give it turns, tell the ways in which it can end apart."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hotloop.errors import HotloopError, MeasurementError, NeverStepped, NotApplicable, ProtectedFile, WorkloadCrashed
from hotloop.machine.memory import oom_kills, tells_of_no_memory, tree_memory
from hotloop.measurement import Memory
from hotloop.transform import Plan, Stage, compiles
from hotloop.worker.admission import Admission
from hotloop.worker.freezer import CgroupFreezer, SignalFreezer, make_cgroup_freezer
from hotloop.worker.interpreter import interpreter, module_of, package_path
from hotloop.worker.spec import Channel, ObservationSpec, WorkerSpec
from hotloop.worker.turn_report import TurnReport
from hotloop.worker.warden import remove_made
from hotloop.workload import Script, Workload
from hotloop.workloads.child_processes import CHILDREN, told_of_children
from hotloop.workloads.protect import MADE, Made
from hotloop.workloads.scratch import make_scratch

_WARDEN = Path(__file__).with_name("warden.py")
_LAST_LINES = 15
_STACK_LINES = 60
_LONGEST_TAIL = 1 << 16
_COMPILE_LIMIT = 900.0
_GROWN = 1.05
_LOOKED_AT, _LOOK_EVERY = (1, 3), 10  # steps of a watched run after which its memory is looked at


class EndedEarly(HotloopError):
    """The program came to its own end after `steps` steps, before those that were asked of it.

    `report` holds the steps of the turn that it cut short.
    """

    def __init__(self, steps: int, report: TurnReport | None = None) -> None:
        super().__init__(f"the program ended after {steps} steps")
        self.steps = steps
        self.report = report


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How workers are started: variables for all of them, folders for caches and logs, and how long to wait.

    `first_step_limit` and `turn_limit` are seconds; a worker silent for longer is ended and reported. `admission` knows
    what workers with these settings have taken, and how many may be alive at once.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    cores: tuple[int, ...] = ()
    may_overwrite: tuple[str, ...] = ()
    first_step_limit: float = 120.0
    turn_limit: float = 120.0
    admission: Admission = field(default_factory=Admission, compare=False)

    @property
    def cache(self) -> Path:
        """Compiled code of all workers of a session."""
        return self.folder / "cache"


class Worker:
    """One process that trains under one plan and obeys. A context manager: leaving ends it and all it started.

    `program` is the module that the process runs, and further arguments of it: one that calls `worker.serve`.
    """

    def __init__(
        self,
        workload: Workload,
        plan: Plan,
        settings: Settings,
        *,
        watch: ObservationSpec | None = None,
        seed: int | None = None,
        program: tuple[str, ...] = ("hotloop.worker.main",),
    ) -> None:
        self.plan = plan
        self.settings = settings
        self.steps = 0
        self._report: TurnReport | None = None
        self._is_paused = False
        self._rss = 0
        self._oom_kills = oom_kills()
        self._waits_for = ""
        self._asked = 1  # steps after which it answers again
        # Both may refuse, so they come before what would have to be taken away again.
        program = module_of(workload, program)
        variables = self._variables(workload)
        self._log = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115  # closed with the worker
        folders = [workload.folder]
        if isinstance(workload, Script):
            folders.append((workload.folder / workload.path).parent)
        self._scratch = make_scratch(
            tuple(folders), sources=settings.folder / "sources", may_overwrite=settings.may_overwrite
        )
        self._made = Made(settings.cache / MADE, self._scratch.folder.name)
        self._made.begin()
        cgroup = make_cgroup_freezer()
        self._warden, self._control, self._channel = self._start(
            variables, (interpreter(workload), "-P", "-m", *program), cgroup
        )
        self._freezer = cgroup or SignalFreezer(self._warden.pid)
        told = self._control.receive(timeout=60)
        if told is None:
            raise HotloopError(f"the worker could not be started: {self.last_lines()}")
        self.pid: int = told["pid"]
        if settings.cores:
            self.pin(settings.cores)
        spec = WorkerSpec(
            workload=workload, plan=plan, scratch=self._scratch, caches=(settings.cache,), watch=watch, seed=seed
        )
        self._send(spec.to_data())

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def stopped_by(self) -> str:
        """How it is stopped while others have their turn."""
        return self._freezer.how

    @property
    def has_made_files(self) -> bool:
        """Whether it has made files outside of its scratch copy, which others that live would find."""
        return self._made.is_any()

    @property
    def report(self) -> TurnReport:
        """What it answered after its last turn. Raises MeasurementError before the first."""
        if self._report is None:
            raise MeasurementError("the worker has had no turn yet; give it one first")
        return self._report

    @property
    def first_step_limit(self) -> float:
        """Seconds that the first step may take; a plan that compiles gets more than the program itself."""
        return max(self.settings.first_step_limit, _COMPILE_LIMIT if any(map(compiles, self.plan.transforms)) else 0.0)

    def _start(
        self, variables: Mapping[str, str], command: tuple[str, ...], cgroup: CgroupFreezer | None
    ) -> tuple["subprocess.Popen[bytes]", Channel, Channel]:
        """The warden, and our ends of its socket and of the worker's."""
        control, control_there = socket.socketpair()
        channel, channel_there = socket.socketpair()
        fds = (control_there.fileno(), channel_there.fileno())
        worker = [*command[:4], str(fds[1]), *command[4:]]
        freezer = ["", "", ""] if cgroup is None else [str(cgroup.procs), str(cgroup.control), cgroup.thawed]
        own = [str(fds[0]), str(self._scratch.folder), str(fds[1]), *freezer, str(self._made.list)]
        arguments = [str(_WARDEN), *own, *worker]
        warden = subprocess.Popen(
            [sys.executable, "-I", "-S", *arguments],
            env=variables,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        control_there.close()
        channel_there.close()
        return warden, Channel(control), Channel(channel)

    def _variables(self, workload: Workload) -> dict[str, str]:
        variables = {**os.environ, **self.settings.variables}
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["PYTHONUNBUFFERED"] = "1"
        variables["TORCHINDUCTOR_CACHE_DIR"] = str(self.settings.cache / "inductor")
        variables["TRITON_CACHE_DIR"] = str(self.settings.cache / "triton")
        paths = [*workload.import_paths, variables.get("PYTHONPATH", ""), package_path(workload, self.settings.cache)]
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        for transform in self.plan.at(Stage.LAUNCH):
            transform.apply(variables)
        return variables

    def pin(self, cores: tuple[int, ...]) -> None:
        """Keep all threads of the worker on these cores; processes that it starts later follow."""
        if not hasattr(os, "sched_setaffinity"):
            return
        with contextlib.suppress(FileNotFoundError):  # it has ended; whoever listens next hears of that
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread), cores)

    def wait_at_barrier(self) -> None:
        """Wait until the program is ready to train; call `turn` for its first steps."""
        self._expect("barrier", self.settings.first_step_limit)
        self.pause()

    def turn(
        self, steps: int, *, seconds: float = 0.0, limit: float | None = None, then_pause: bool = True
    ) -> TurnReport:
        """Let the worker run `steps` steps, and more until `seconds` have passed, while nobody else runs.

        Without `then_pause` it waits for its next turn with all that it started still running. Raises as `_ended` says.
        """
        self.resume()
        self._send({"do": "run", "steps": steps, "seconds": seconds})
        self._asked = steps
        message = self._expect("turn", (limit or self.settings.turn_limit) + seconds)
        self._report = TurnReport.from_message(message)
        self.steps = self._report.steps
        if self._report.rss > _GROWN * self._rss:
            self._learn_memory(self._report.memory)
        if then_pause:
            self.pause()
        return self._report

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the process of another `program` answers to one message of its own protocol. Raises as `turn`."""
        self._send(message)
        return self._expect("answer", self.first_step_limit)

    def watched(self) -> dict[str, Any]:
        """What an observed worker saw."""
        message = self._hear(self.first_step_limit, NeverStepped)
        while message["event"] == "stepped":
            self.steps = message["steps"]
            if self.steps in _LOOKED_AT or self.steps % _LOOK_EVERY == 0:
                self._learn_memory(None)
            message = self._hear(self.settings.turn_limit, NeverStepped)
        if message["event"] != "watched":
            self._ended(message)
        if not self.steps:
            self._check_children()
        return message

    def _learn_memory(self, reported: Memory | None) -> None:
        """Tell what the whole process tree takes; `reported` is what the worker says itself, of the device too."""
        taken = tree_memory(self.pid)
        self._rss = max(taken, reported.rss if reported else 0)
        memory = replace(reported or Memory(), rss=taken)
        self.settings.admission.learn(memory, with_device=reported is not None)

    def pause(self) -> None:
        """Stop the worker and all it started: nothing prefetches and no thread spins in others' turns."""
        if not self._is_paused:
            self._is_paused = True
            self._freezer.freeze()

    def resume(self) -> None:
        """Let it run again."""
        if self._is_paused:
            self._is_paused = False
            self._freezer.thaw()

    def release(self) -> None:
        """Tell the warden to end the worker, without waiting for it."""
        self._control.close()
        self._channel.close()

    def end(self) -> None:
        """End the worker and everything it started; remove its scratch copy and what it made outside of it."""
        if self._log.closed:
            return
        if self._made.is_shared():
            self.settings.admission.share_files = True
        self.release()
        try:
            self._warden.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._warden.kill()
            self._warden.wait()
        if self._warden.returncode:  # it did not come to its own end, so it has not ended the worker
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            remove_made(str(self._made.list))
        self._freezer.close()
        shutil.rmtree(self._scratch.folder, ignore_errors=True)
        self._log.close()

    def last_lines(self, count: int = _LAST_LINES) -> str:
        """The end of what the program printed, with the user's own paths in it."""
        size = os.fstat(self._log.fileno()).st_size  # the offset is shared with the worker: reading must not move it
        tail = os.pread(self._log.fileno(), _LONGEST_TAIL, max(0, size - _LONGEST_TAIL))
        return self._own_paths("\n".join(tail.decode(errors="replace").splitlines()[-count:]))

    def _own_paths(self, text: str) -> str:
        return text.replace(f"{self._scratch.tree}/", "/")

    def _send(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended; whoever listens next hears of that
            self._channel.send(message)

    def _hear(self, limit: float, silent: type[HotloopError]) -> dict[str, Any]:
        try:
            message = self._channel.receive(timeout=limit)
        except TimeoutError:
            raise silent(self._silence(limit)) from None
        if message is None:
            raise self._death()
        if message["event"] != "waiting":
            self._waits_for = ""
            return message
        self._waits_for = f"{message['message']}; "  # a rank has told why others may never answer
        return self._hear(limit, silent)

    def _expect(self, event: str, limit: float) -> dict[str, Any]:
        message = self._hear(limit, NeverStepped)
        if message["event"] != event:
            self._ended(message)
        return message

    def _silence(self, limit: float) -> str:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)  # faulthandler writes where every thread stands
        time.sleep(0.3)
        if not self.steps:
            self._check_children()
        return (
            f"{self._waits_for}the program {self._progress(limit)}; a training script must step an optimizer that "
            "derives from torch.optim.Optimizer; give it more time with a larger --budget, or see where it stands:\n"
            f"{self.last_lines(_STACK_LINES)}"
        )

    def _check_children(self) -> None:
        """Raise NeverStepped where the program has started processes of its own, in which it may train."""
        told = told_of_children(self._scratch.folder / CHILDREN)
        if told:
            raise NeverStepped(f"{told}; its last lines were:\n{self.last_lines()}")

    def _progress(self, limit: float) -> str:
        which = "step" if self._asked == 1 else f"{self._asked} steps"
        done = f"made {self.steps} steps and not the next" if self.steps else "did not make its first"
        return f"{done} {which} within {limit:.0f} s"

    def _death(self) -> WorkloadCrashed:
        told: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError, json.JSONDecodeError):
            told = self._control.receive(timeout=10) or {}
        status: Any = told.get("status")
        if status == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return self._killed_for_memory(told.get("rss", 0))
        number = -(status or 0)
        how = f"was ended by signal {signal.Signals(number).name}" if number > 0 else f"left with status {status}"
        return self._crashed(f"the worker {how}", self.steps, kind=f"status {status}")

    def _crashed(self, what: str, steps: int, *, kind: str) -> WorkloadCrashed:
        last = self.last_lines()
        told = f"{what} after {steps} steps; its last lines were:\n{last}"
        return WorkloadCrashed(told, kind=kind, traceback=last)

    def _killed_for_memory(self, rss: int) -> WorkloadCrashed:
        had = max(rss, self._rss)
        return WorkloadCrashed(
            f"the worker was killed for want of memory after {self.steps} steps (it had {had / 2**20:.0f} MiB): give "
            "it less to hold, as a smaller batch, or more memory",
            kind="OutOfMemory",
            traceback=self.last_lines(),
        )

    def _ended(self, message: Mapping[str, Any]) -> None:
        """Raise EndedEarly, WorkloadCrashed, NotApplicable or ProtectedFile for a worker's last word."""
        if message["event"] == "protected":
            raise ProtectedFile(message["message"])
        if message["event"] == "died":
            raise self._crashed(message["message"], message["steps"], kind="RankDied")
        if message["event"] == "crashed":
            if message.get("limit"):
                raise NotApplicable(message["limit"])
            left = message["kind"] == "SystemExit"
            was_killed = "killed by signal" in message["message"] and oom_kills() > self._oom_kills
            if was_killed or tells_of_no_memory(message["kind"], message["message"]):
                raise WorkloadCrashed(
                    f"the program ran out of memory after {self.steps} steps (it had {self._rss / 2**20:.0f} MiB): "
                    f"{message['message']}",
                    kind=message["kind"],
                    traceback=self._own_paths(message["traceback"]),
                )
            raise WorkloadCrashed(
                f"the program {'left with' if left else 'raised ' + message['kind'] + ':'} {message['message']}"
                f"{self._scratch.missing(message['kind'])}",
                kind=message["kind"],
                traceback=self.last_lines() if left else self._own_paths(message["traceback"]),
            )
        turn = message.get("turn")
        if not message.get("steps", self.steps):
            self._check_children()
        raise EndedEarly(message.get("steps", self.steps), None if turn is None else TurnReport.from_message(turn))
