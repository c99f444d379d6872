"""Limits from repeats of one revision: what a comparison of equal code comes to on this machine, with arithmetic."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hotloop.compare.comparison import MINIMUM_REPLICATES
from hotloop.compare.inference import CONFIDENCE, t_quantile
from hotloop.errors import MeasurementError
from hotloop.guard.counts import Counts, count
from hotloop.guard.limits import COUNTS, TIMED, GuardSettings, Limit
from hotloop.guard.request import Request
from hotloop.guard.side import Side
from hotloop.guard.timed import log_ratios, two_ways
from hotloop.measurement import Environment
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.records.documents import to_data
from hotloop.verdict import Outcome

_LATER_REPLICATES = 6  # of a session that is not decided at once: what its interval must be able to exclude


@dataclass(frozen=True, kw_only=True)
class LimitCalibration:
    """The limit of each metric with the log ratios of the repeats that it was derived from, and how."""

    verdict: Outcome
    workload: str
    base: Side
    limits: Mapping[str, Limit]
    repeats: Mapping[str, Sequence[float]]
    arithmetic: tuple[str, ...]
    environment: Environment
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The JSON document: indented, no NaN."""
        data: dict[str, Any] = {
            "schema": 1,
            "verdict": self.verdict.value,
            "base": self.base.to_data(),
            "limits": {name: asdict(limit) for name, limit in self.limits.items()},
            "repeats": {name: list(values) for name, values in self.repeats.items()},
            "arithmetic": list(self.arithmetic),
            "environment": to_data(self.environment),
            "notes": list(self.notes),
        }
        return json.dumps(data, indent=2, allow_nan=False) + "\n"

    def toml(self) -> str:
        """The settings file with these limits."""
        import tomli_w

        return tomli_w.dumps({"limits": {name: asdict(limit) for name, limit in self.limits.items()}})

    def text(self) -> str:
        """The arithmetic of each limit, and the settings file."""
        head = f"{self.workload} at {self.base.title}, against itself"
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([head, *self.arithmetic, *notes, "", "# guard.toml, for --settings:", self.toml().rstrip()])


def calibrate_limits(
    request: Request, repeats: int, *, options: Options, progress: Progress | None = None
) -> LimitCalibration:
    """Limits from so many replicates of the base against itself (without --base: of HEAD).

    Raises as the program does where it cannot run, and MeasurementError where two runs of it count differently.
    """
    revision = request.base or "HEAD"
    with replace(request, base=revision, head=revision).sides() as trees:
        workload = replace(request, base=revision).workload_of(trees.base)
        with open_session("guard", workload, options, progress) as session:
            _check_counts(session, trees.base, request.settings)
            both = two_ways(session, {}, request.settings)
            for number in range(repeats):
                both.measure(options.budget)
                session.progress.say(f"repeat {number + 1} of {repeats} done")
            wanted = [name for name in TIMED if name in request.settings.metrics]
            found = {name: log_ratios(name, both) for name in wanted}
            derived = {name: derive_limit(name, found[name], request.settings.limits[name]) for name in wanted}
            return LimitCalibration(
                verdict=Outcome.PASS,
                workload=workload.title,
                base=trees.base,
                limits={name: limit for name, (limit, _) in derived.items()},
                repeats=found,
                arithmetic=tuple(line for _, line in derived.values()),
                environment=session.environment,
                notes=tuple(session.notes),
            )


def derive_limit(name: str, repeats: Sequence[float], default: Limit) -> tuple[Limit, str]:
    """The limit that equal code stays below with `CONFIDENCE`, and the line that shows how it comes about.

    `repeats` are log ratios of one revision to itself, one for each replicate. A verdict rests on three replicates at
    least, so the limit is the prediction bound for the mean of three; never below the default.
    """
    count = len(repeats)
    centre, spread = statistics.fmean(repeats), statistics.stdev(repeats)
    quantile = t_quantile(CONFIDENCE, count - 1)
    bound = abs(centre) + quantile * spread * math.sqrt(1 / MINIMUM_REPLICATES + 1 / count)
    later = t_quantile(CONFIDENCE, _LATER_REPLICATES - 1) * spread / math.sqrt(_LATER_REPLICATES)
    relative = max(default.relative, _rounded_up(math.expm1(bound)))
    resolution = max(default.resolution, _rounded_up(relative + math.expm1(later)))
    shown = ", ".join(f"{100 * value:+.2f}" for value in repeats)
    line = (
        f"{name}: {count} repeats differ by {shown} %: mean {100 * centre:+.2f}, SD {100 * spread:.2f}; "
        f"{100 * abs(centre):.2f} + t({CONFIDENCE:g}, {count - 1}) {quantile:.2f} * {100 * spread:.2f} * "
        f"sqrt(1/{MINIMUM_REPLICATES} + 1/{count}) = {100 * bound:.2f} %, not below the default of "
        f"{100 * default.relative:g} %: limit {100 * relative:g} %; passes where {100 * resolution:g} % is excluded"
    )
    return Limit(relative=relative, absolute=default.absolute, resolution=resolution), line


def _rounded_up(share: float) -> float:
    """To a tenth of a percent."""
    return math.ceil(1000 * share - 1e-9) / 1000


def _check_counts(session: Session, side: Side, settings: GuardSettings) -> None:
    """Counts are gated exactly, so that one revision must count the same twice."""
    names = [name for name in COUNTS if name in settings.metrics]
    if not names:
        return
    runs: list[Counts] = []
    for number in range(2):
        session.progress.say(f"counting, run {number + 1} of 2")
        workload = session.workload
        runs.append(count(side, workload, session.settings, steps=settings.steps, run=f"calibrate-{number}"))
    for name in names:
        first, second = (run.figure(name) for run in runs)
        if first != second:
            raise MeasurementError(
                f"two runs of one revision count {first:g} and {second:g} {name}; seed the program, or leave {name} "
                "out of metrics in the settings"
            )
    session.note(f"{', '.join(names)} are counted exactly: two runs of this revision agree, and no limit is needed")
