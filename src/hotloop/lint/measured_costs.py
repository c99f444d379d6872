"""MeasuredCosts: what each line cost in a diagnosed run, from a `hotloop diagnose --json` report."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotloop.errors import SourceError
from hotloop.finding import Finding

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class LineCost:
    """What the report says of one line; None where it did not measure."""

    code: str
    share: float | None
    per_step: float | None
    amdahl_limit: float | None

    @property
    def counts(self) -> bool:
        """Whether it cost anything: a share of the time above zero or, unmeasured, events in every step."""
        return self.share > 0 if self.share is not None else bool(self.per_step)


class MeasuredCosts:
    """Costs by resolved path and line."""

    def __init__(self, costs: dict[tuple[Path, int], list[LineCost]]) -> None:
        self._costs = costs

    def keep(self, finding: Finding) -> Finding | None:
        """The finding marked hot, with the figures of its own code where there are some; None where it cost nothing."""
        seen = [cost for cost in self._costs.get((Path(finding.path).resolve(), finding.line), []) if cost.counts]
        if not seen:
            return None
        own = next((cost for cost in seen if cost.code == finding.code), None)
        if own is None:
            return replace(finding, hot=True)
        return replace(finding, hot=True, share=own.share, per_step=own.per_step, amdahl_limit=own.amdahl_limit)


def load_measured_costs(path: Path) -> MeasuredCosts:
    """The costs in a report, its paths taken from the current folder. Raises SourceError where it is no such report."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SourceError(f"cannot read {path}: {error}; write one with `hotloop diagnose --json`") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("findings"), list):
        raise SourceError(
            f"{path} is not a report of schema {SCHEMA} with findings; write one with `hotloop diagnose --json`"
        )
    costs: dict[tuple[Path, int], list[LineCost]] = {}
    for entry in data["findings"]:
        line, cost = _cost(entry, path)
        costs.setdefault(line, []).append(cost)
    return MeasuredCosts(costs)


def _cost(entry: Any, path: Path) -> tuple[tuple[Path, int], LineCost]:
    try:
        where = (Path(entry["path"]).resolve(), int(entry["line"]))
        figures = [None if entry.get(name) is None else float(entry[name]) for name in ("share", "per_step", "bound")]
        return where, LineCost(code=str(entry["code"]), share=figures[0], per_step=figures[1], amdahl_limit=figures[2])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SourceError(
            f"{path}: a finding lacks code, path or line ({error!r}); write it with `hotloop diagnose --json`"
        ) from None
