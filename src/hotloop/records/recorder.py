"""Recorder: the one thing the engine tells what happens, whoever keeps it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotloop.errors import HistoryError
from hotloop.measurement import Block, Environment
from hotloop.records.evidence import Command, Evidence
from hotloop.transform import Plan
from hotloop.trial import Result, Trial

if TYPE_CHECKING:
    from hotloop.records.history import History


@dataclass(kw_only=True)
class Recorder:
    """Keeps one session in its evidence folder and in the history.

    A history that goes away in the middle does not end the session: `lost` holds the reason from then on, and only
    the evidence is kept.
    """

    evidence: Evidence
    history: "History"
    session: int
    lost: str = ""

    def block(self, comparison: str, block: Block) -> None:
        """Keep one block of the comparison of that title; it is safe when this returns."""
        self.evidence.block(comparison, block)
        self._keep(lambda: self.history.add_block(self.session, comparison, block))

    def trial(self, trial: Trial) -> None:
        """Keep one trial."""
        self.evidence.trial(trial)
        self._keep(lambda: self.history.add_trial(self.session, trial))

    def finish(self, plan: Plan, result: Result) -> None:
        """Keep what the session ended with; for the history the plan is part of the result."""
        self.evidence.finish(plan, result)
        self._keep(lambda: self.history.finish(self.session, result))

    def _keep(self, write: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            write()
        except HistoryError as error:
            self.lost = str(error)


def start_recording(history: "History", folder: Path, *, command: Command, environment: Environment) -> Recorder:
    """A recorder of a new session into an evidence folder and the history."""
    evidence = Evidence.create(folder, command=command, environment=environment)
    title = command.workload.title
    session = history.start(kind=command.verb, workload=title, command=command.line, environment=environment)
    return Recorder(evidence=evidence, history=history, session=session)
