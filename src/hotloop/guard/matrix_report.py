"""MatrixReport: what a comparison of base and head found, for each row of a matrix."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotloop.guard.guard_report import GuardReport
from hotloop.verdict import Outcome, Verdict, worst


@dataclass(frozen=True, kw_only=True)
class MatrixReport:
    """Reports by the title of their row; `notes` are those on the matrix as a whole."""

    workload: str
    reports: Mapping[str, GuardReport]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Outcome:
        """FAIL where any row is worse, INCONCLUSIVE where one could not be told, else PASS."""
        return worst(
            Verdict(gate=title, outcome=report.verdict, message=report.message)
            for title, report in self.reports.items()
        )

    @property
    def message(self) -> str:
        """One sentence on all rows."""
        deciding = [title for title, report in self.reports.items() if report.verdict is self.verdict]
        said = {Outcome.FAIL: "worse", Outcome.INCONCLUSIVE: "could not be told", Outcome.PASS: "no regression"}
        return f"{said[self.verdict]}: {len(deciding)} of {len(self.reports)} rows ({', '.join(deciding)})"

    def to_json(self) -> str:
        """The document of one report, whose metrics name their row in `row`: indented, no NaN."""
        first = next(iter(self.reports.values())).to_data()
        metrics: list[dict[str, Any]] = []
        notes = list(self.notes)
        for title, report in self.reports.items():
            metrics += [{"row": title, **metric.to_data()} for metric in report.metrics]
            notes += [f"{title}: {note}" for note in report.notes]
        data = {"verdict": self.verdict.value, "message": self.message, "metrics": metrics, "notes": notes}
        return json.dumps({**first, **data}, indent=2, allow_nan=False) + "\n"

    def text(self) -> str:
        """The same for people: every row, and the verdict on all."""
        rows = [report.text() for report in self.reports.values()]
        notes = [f"note: {note}" for note in self.notes]
        return "\n\n".join([*rows, "\n".join([*notes, f"{self.verdict}: {self.message}"])])
