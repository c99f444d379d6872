"""Recorder: the one thing the engine tells what happens, whoever keeps it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotloop.measurement import Block, Environment
from hotloop.records.evidence import Command, Evidence
from hotloop.transform import Plan
from hotloop.trial import Result, Trial

if TYPE_CHECKING:
    from hotloop.records.history import History


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Keeps one session in its evidence folder and in the history."""

    evidence: Evidence
    history: "History"
    session: int

    def block(self, comparison: str, block: Block) -> None:
        """Keep one block of the comparison of that title; it is safe when this returns."""
        self.evidence.block(comparison, block)
        self.history.add_block(self.session, comparison, block)

    def trial(self, trial: Trial) -> None:
        """Keep one trial."""
        self.evidence.trial(trial)
        self.history.add_trial(self.session, trial)

    def finish(self, plan: Plan, result: Result) -> None:
        """Keep what the session ended with; for the history the plan is part of the result."""
        self.evidence.finish(plan, result)
        self.history.finish(self.session, result)


def start_recording(history: "History", folder: Path, *, command: Command, environment: Environment) -> Recorder:
    """A recorder of a new session into an evidence folder and the history."""
    evidence = Evidence.create(folder, command=command, environment=environment)
    title = command.workload.title
    session = history.start(kind=command.verb, workload=title, command=command.line, environment=environment)
    return Recorder(evidence=evidence, history=history, session=session)
