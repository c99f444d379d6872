"""GuardReport: what a comparison of base and head found; the document of `guard --json`, and its text."""

import json
from dataclasses import dataclass, field
from typing import Any

from hotloop.guard.counts import Counts
from hotloop.guard.metric import Metric
from hotloop.guard.side import Side
from hotloop.measurement import Environment, Interval
from hotloop.records.documents import to_data
from hotloop.verdict import Outcome

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class GuardReport:
    """The verdict with its metrics; `message` says why there are none where a side could not run.

    `step` and `aa` are ratios of step times, above 1 where head, or the base a second time, is faster.
    """

    verdict: Outcome
    message: str
    workload: str
    base: Side
    head: Side
    metrics: tuple[Metric, ...]
    environment: Environment
    step: Interval | None = None
    aa: Interval | None = None
    base_counts: Counts | None = None
    head_counts: Counts | None = None
    seconds: float = 0.0
    command: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def worse(self) -> list[str]:
        """Names of the metrics that are worse."""
        return [metric.name for metric in self.metrics if metric.verdict is Outcome.FAIL]

    def to_data(self) -> dict[str, Any]:
        """The JSON document, schema 1."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "message": self.message,
            "base": self.base.to_data(),
            "head": self.head.to_data(),
            "metrics": [metric.to_data() for metric in self.metrics],
            "environment": to_data(self.environment),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """The text of the document: indented, no NaN."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False) + "\n"

    def text(self) -> str:
        """The same for people."""
        width = max(len(metric.name) for metric in self.metrics)
        rows = [f"{metric.verdict:12}  {metric.name:{width}}  {metric.message}" for metric in self.metrics]
        head = f"{self.workload}: {self.base.title} -> {self.head.title}"
        return "\n".join([head, *rows, *(f"note: {note}" for note in self.notes), f"{self.verdict}: {self.message}"])
