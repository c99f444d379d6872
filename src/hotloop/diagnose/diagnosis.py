"""Diagnosis: what a diagnosed run was seen to spend its time on; the document that `--json` prints."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotloop.finding import Finding
from hotloop.measurement import Environment

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Findings, the most to win first, with the figures they were made from.

    `phases` maps each phase of an ordinary step to {"ms", "share"}; `outside` maps what comes between steps
    ("evaluation", "checkpointing", "loader_start", "start_up") to {"seconds", "share"} (start_up: no share).
    `share_by_phase` is the larger share of each phase, of ordinary steps or of all.
    `kind` says what the program is bound by, with the share of a step behind it (`program_kind`).
    `losses` are those of all steps, NaN as None. `seen` holds each probe's own data by its name.
    """

    workload: str
    step_seconds: float
    steps: int
    phases: Mapping[str, Mapping[str, float]]
    outside: Mapping[str, Mapping[str, float]]
    share_by_phase: Mapping[str, float]
    findings: tuple[Finding, ...]
    modules: tuple[Mapping[str, Any], ...]
    environment: Environment
    kind: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seen: Mapping[str, Any] = field(default_factory=dict[str, Any])
    losses: tuple[float | None, ...] = ()
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The JSON document, schema 1."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["findings"] = [finding_data(finding) for finding in self.findings]
        data["environment"] = dataclasses.asdict(self.environment)
        return {"schema": SCHEMA, **data}

    def to_json(self) -> str:
        """The text of the document: indented, no NaN."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False) + "\n"


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as JSON data, with the page that explains its rule."""
    data = {f.name: getattr(finding, f.name) for f in dataclasses.fields(finding)}
    data["bound"] = data.pop("amdahl_limit")  # what others read in documents of schema 1 keeps its name
    return {**data, "evidence": dict(finding.evidence), "docs": f"docs/rules.md#{finding.code.lower()}"}


def read_finding(data: Mapping[str, Any]) -> Finding:
    """The inverse of `finding_data`."""
    names = {"bound": "amdahl_limit"}
    return Finding(**{names.get(key, key): value for key, value in data.items() if key != "docs"})
