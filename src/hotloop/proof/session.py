"""What a session of `tune`, `prove`, `guard` shares: the machine, the budget, the records, how workers are started."""

import functools
import random
import shlex
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from hotloop.compare.inference import MeasuredSpread
from hotloop.compare.replicate import Setup
from hotloop.compare.series import BASELINE, ReplicateSeries
from hotloop.errors import NotApplicable
from hotloop.machine.environment import CONTENDED, foreign_cores, record_environment
from hotloop.measurement import Block, Clock, Environment
from hotloop.objective import Objective
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.proof.session_folder import session_folder
from hotloop.records.evidence import Command
from hotloop.records.history import open_history
from hotloop.records.recorder import Recorder, start_recording
from hotloop.transform import Plan, Transform
from hotloop.trial import Result, Trial
from hotloop.verdict import Verdict, does_not_apply
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import Script, Workload
from hotloop.workloads.protect import MADE, left_behind

_FURTHER, _SHARE_OF_BUDGET = 5.0, 0.03  # seconds of training beyond `steps` in which verification looks for events


class Progress(Protocol):
    """Who is told how the session goes."""

    def say(self, line: str) -> None:
        """One line about what happens now."""
        ...

    def trial(self, trial: Trial) -> None:
        """A trial has ended."""
        ...


class Silence:
    """A progress that tells nobody."""

    def say(self, line: str) -> None:
        """Nothing."""

    def trial(self, trial: Trial) -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long to measure and where to leave what was found.

    `budget` is in seconds and covers everything; `steps` is how many steps verification compares at least; `only` and
    `skip` name transforms; `objective` is what a plan must be better at; `out` is the folder for the evidence (None: a
    temporary one that goes with the session); `history` is a URL of SQLAlchemy's (None: the user's own SQLite file).
    `executor` is where plans are screened: on this machine, or over those of a Ray cluster.
    """

    budget: float = 600.0
    steps: int = 30
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    objective: Objective = Objective.THROUGHPUT
    out: Path | None = None
    history: str | None = None
    may_overwrite: tuple[str, ...] = ()
    command: str = ""
    executor: Literal["local", "ray"] = "local"


@dataclass(kw_only=True)
class Session:
    """The live state of one session; `notes` collects what a reader of the report must know."""

    workload: Workload
    options: Options
    environment: Environment
    settings: Settings
    recorder: Recorder
    progress: Progress
    evidence: str
    clock: Clock = Clock.WALL
    order: random.Random = field(default_factory=lambda: random.Random(0))
    notes: list[str] = field(default_factory=list[str])
    trials: list[Trial] = field(default_factory=list[Trial])
    started: float = field(default_factory=time.monotonic)
    spread: MeasuredSpread = field(default_factory=MeasuredSpread)
    memory_spread: MeasuredSpread = field(default_factory=MeasuredSpread)
    limits: AmdahlLimits = field(default_factory=AmdahlLimits)

    @property
    def elapsed(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds of the budget that are left; never negative."""
        return max(0.0, self.options.budget - self.elapsed)

    def series(
        self,
        title: str,
        arms: Mapping[str, Plan],
        *,
        baseline: str = BASELINE,
        clock: Clock | None = None,
        workloads: Mapping[str, Workload] = MappingProxyType({}),
    ) -> ReplicateSeries:
        """Replicates of these arms, compared with `baseline`; their blocks are recorded under `title`.

        `clock` takes the place of the session's; `workloads` are those of arms that run another than the session's.
        """
        setup = Setup(
            workload=self.workload,
            settings=self.settings,
            baseline=baseline,
            order=self.order,
            keep=lambda block: self._keep(title, block),
            workloads=workloads,
        )
        return ReplicateSeries(setup, arms, clock=clock or self.clock)

    @functools.cached_property
    def gate(self) -> DriftGate:
        """The gate that compares plans with the untransformed workload, whose runs it keeps."""
        is_timed = isinstance(self.workload, Script) and self.workload.num_ranks == 1  # ranks must end at one step
        further = max(_FURTHER, _SHARE_OF_BUDGET * self.options.budget) if is_timed else 0.0
        return DriftGate(self.workload, self.settings, steps=self.options.steps, further_seconds=further)

    def note(self, line: str) -> None:
        """Something a reader must know; said once."""
        if line not in self.notes:
            self.notes.append(line)
            self.progress.say(line)

    def add(self, trial: Trial) -> None:
        """Record a trial, with the Amdahl limit of its change where the diagnosis has one, and tell of it."""
        trial = self.limits.on(trial, self.trials)
        self.trials.append(trial)
        self.recorder.trial(trial)
        self._note_lost_history()
        self.progress.trial(trial)

    def finish(self, plan: Plan, result: Result) -> None:
        """Record what the session ended with. A history that goes away only now is told of, but not in `result`."""
        self.recorder.finish(plan, result)
        self._note_lost_history()

    def _keep(self, title: str, block: Block) -> None:
        self.recorder.block(title, block)
        self._note_lost_history()

    def _note_lost_history(self) -> None:
        if self.recorder.lost:
            where = f"the evidence in {self.evidence} is whole" if self.evidence else "--out keeps what was measured"
            self.note(f"the history lacks this session: {self.recorder.lost}; {where}")

    def watch_load(self) -> None:
        """Beside other load, threads that spin collapse: then all workers get one thread, and CPU time is compared."""
        busy = foreign_cores()
        if busy < CONTENDED or self.settings.variables.get("OMP_NUM_THREADS") == "1":
            return
        self.settings = replace(self.settings, variables={**self.settings.variables, "OMP_NUM_THREADS": "1"})
        if not self.environment.has_cuda:
            self.clock = Clock.CPU
        self.note(
            f"contention: other processes keep {busy:.1f} of {len(self.environment.cores)} cores busy; from here on "
            "all workers, the plain script too, run with one thread, and CPU time is compared"
        )

    def note_files_made_outside(self) -> None:
        """Name what trials made outside of their scratch copies and could not be removed after them."""
        left = left_behind(self.settings.cache / MADE)
        if left:
            self.note(f"trials made {len(left)} files outside of their scratch copies that stay, as {left[0]}")

    def applicability(self, transform: Transform) -> Verdict | None:
        """A FAIL with the reason where the machine has nothing for this transform to act on."""
        try:
            transform.check(replace(self.environment, threads=self._threads()))
        except NotApplicable as reason:
            return does_not_apply(reason)
        return None

    def _threads(self) -> int:
        return 1 if self.settings.variables.get("OMP_NUM_THREADS") == "1" else self.environment.threads


@contextmanager
def open_session(
    verb: Literal["tune", "prove", "machine", "guard"], workload: Workload, options: Options, progress: Progress | None
) -> Generator[Session]:
    """A session with its records open; the folder of caches and scratch copies goes with it."""
    with ExitStack() as stack:
        folder = stack.enter_context(session_folder())
        line = options.command or shlex.join(["hotloop", verb, workload.title])
        environment = record_environment(tuple(sys.argv), workload.folder)
        history = stack.enter_context(open_history(options.history))
        evidence = _evidence_folder(options.out) if options.out else folder / "evidence"
        command = Command(verb=verb, workload=workload, line=line, options=_plain(options))
        session = Session(
            workload=workload,
            options=options,
            environment=environment,
            settings=Settings(
                folder=folder,
                cores=environment.cores,
                may_overwrite=options.may_overwrite,
                first_step_limit=max(20.0, min(300.0, options.budget)),
                turn_limit=max(60.0, min(300.0, options.budget)),
            ),
            recorder=start_recording(history, evidence, command=command, environment=environment),
            progress=progress or Silence(),
            evidence=str(evidence) if options.out else "",
            clock=Clock.CUDA if environment.has_cuda else Clock.WALL,
        )
        session.watch_load()
        if isinstance(workload, Script) and workload.num_ranks > len(environment.cores):
            shared = f"{workload.num_ranks} ranks share {len(environment.cores)} cores"
            session.note(f"{shared}: while one computes another waits for its core, and not for a link")
        yield session


def _plain(options: Options) -> dict[str, object]:
    return {
        "budget": options.budget,
        "steps": options.steps,
        "only": list(options.only),
        "skip": list(options.skip),
        "objective": options.objective.value,
        "may_overwrite": list(options.may_overwrite),
        "executor": options.executor,
    }


def _evidence_folder(out: Path) -> Path:
    """`out`/evidence, or the first free name after it: evidence is never written over."""
    names = ("evidence", *(f"evidence-{number}" for number in range(2, 1000)))
    return next(out.resolve() / name for name in names if not (out / name).exists())
