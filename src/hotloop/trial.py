"""Trial: one plan tried on one workload. Result: a whole session, the document that `--json` prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotloop.measurement import Clock, Environment, Interval, Memory
from hotloop.objective import Objective
from hotloop.verdict import Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One plan tried: what was measured, what the gates said, whether it was kept and why.

    `plan` is the whole plan that was measured, `against` the one it was compared with ("nothing" for the script as it
    stands), `change` what differs. `speedup` is of so many `replicates`, None where it was never measured.
    `amdahl_limit` is the most that the change could win by the diagnosis; None where that knows of no limit.
    `memory` is the peak under the plan, `memory_ratio` how many times less that is than what it was compared with.
    """

    plan: tuple[Mapping[str, Any], ...]
    title: str
    change: str
    against: str = "nothing"
    kept: bool = False
    reason: str
    speedup: Interval | None = None
    aa: Interval | None = None
    verdicts: tuple[Verdict, ...] = ()
    startup_seconds: float | None = None
    memory: Memory | None = None
    replicates: int = 0
    amdahl_limit: float | None = None
    memory_ratio: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Loss curves that gate 2 compared: the baseline, the band its own noise spans, and the plan."""

    baseline: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    plan: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """A session of `tune` or `prove`: the document of `--json` and `result.json`.

    `speedup` is the confirmed figure, baseline against the whole plan, measured as `method` says ("in lockstep" or
    "without interruption"); `step` is that of a step, `program` that of the program with all between its steps.
    `stopped_by` says how arms were stopped while others had their turn. `payback_steps` counts the steps after which
    what a plan costs before training (start, compilation) has been earned back (0: nothing to earn, None: never),
    `payback_seconds` the same in training time. `memory_ratio` is how many times less the peak of memory is under the
    plan, `memory_aa` the same of the script against itself; `baseline_memory` and `memory` are the peaks. `objective`
    is what the plan was searched for, and what the verdict is about.
    """

    workload: str
    verdict: Outcome
    message: str
    speedup: Interval | None
    aa: Interval | None
    clock: Clock
    plan: tuple[Mapping[str, Any], ...]
    payback_steps: int | None
    payback_seconds: float | None
    trials: tuple[Trial, ...]
    environment: Environment
    evidence: str
    command: str
    verdicts: tuple[Verdict, ...] = ()
    baseline_step: float | None = None
    step: Interval | None = None
    program: Interval | None = None
    method: str = ""
    stopped_by: str = ""
    tuning_seconds: float = 0.0
    curves: Curves = field(default_factory=Curves)
    notes: tuple[str, ...] = ()
    objective: Objective = Objective.THROUGHPUT
    memory_ratio: Interval | None = None
    memory_aa: Interval | None = None
    baseline_memory: Memory | None = None
    memory: Memory | None = None
