"""Recorder: the one thing the engine tells what happens, whoever keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hotloop.measurement import Block, Environment
from hotloop.records.evidence import Command, Evidence
from hotloop.transform import Plan
from hotloop.trial import Result, Trial

if TYPE_CHECKING:
    from hotloop.records.history import History


class Record(Protocol):
    """A place that keeps one session."""

    def block(self, comparison: str, block: Block) -> None:
        """Keep one block of the comparison of that title; it is safe when this returns."""
        ...

    def trial(self, trial: Trial) -> None:
        """Keep one trial."""
        ...

    def finish(self, plan: Plan, result: Result) -> None:
        """Keep what the session ended with."""
        ...


@dataclass(frozen=True)
class Recorder:
    """Hands everything to each of its records in turn; one without records keeps nothing."""

    records: Sequence[Record] = ()

    def block(self, comparison: str, block: Block) -> None:
        for record in self.records:
            record.block(comparison, block)

    def trial(self, trial: Trial) -> None:
        for record in self.records:
            record.trial(trial)

    def finish(self, plan: Plan, result: Result) -> None:
        for record in self.records:
            record.finish(plan, result)


@dataclass(frozen=True)
class HistorySession:
    """One session of a history, as a record."""

    history: "History"
    session: int

    def block(self, comparison: str, block: Block) -> None:
        self.history.add_block(self.session, comparison, block)

    def trial(self, trial: Trial) -> None:
        self.history.add_trial(self.session, trial)

    def finish(self, plan: Plan, result: Result) -> None:
        """Keep what the session ended with; the plan is part of the result."""
        self.history.finish(self.session, result)


def start_recording(history: "History", folder: Path, *, command: Command, environment: Environment) -> Recorder:
    """A recorder of a new session into an evidence folder and the history."""
    evidence = Evidence.create(folder, command=command, environment=environment)
    title = command.workload.title
    session = history.start(kind=command.verb, workload=title, command=command.line, environment=environment)
    return Recorder((evidence, HistorySession(history, session)))
