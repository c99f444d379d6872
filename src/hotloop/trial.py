"""Trial: one plan tried on one workload. Result: a whole session, the document that `--json` prints."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotloop.errors import EvidenceError
from hotloop.measurement import Clock, Environment, Interval, Memory
from hotloop.verdict import Outcome, Verdict

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One plan tried: what was measured, what the gates said, whether it was kept and why.

    `plan` is the whole plan that was raced, `against` the one it was raced against ("nothing" for the script as it
    stands), `change` what differs. `speedup` is None where it never came to a race. `bound` is the most that the change
    could win by the diagnosis (Amdahl); None where it acts on more than a phase, or nobody diagnosed.
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
    pairs: int = 0
    bound: float | None = None


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

    `speedup` is the confirmed figure, baseline against the whole plan; `payback_steps` counts the steps after which
    compilation has been earned back (0: nothing to earn, None: never), `payback_seconds` the same in training time.
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
    tuning_seconds: float = 0.0
    curves: Curves = field(default_factory=Curves)
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The JSON document, schema 1."""
        data = _plain(self)
        for figures in (data, *data["trials"]):
            if figures["speedup"] is not None:
                figures["speedup"]["clock"] = self.clock.value
        return {"schema": SCHEMA, **data}

    def to_json(self) -> str:
        """The text of result.json: indented, keys in a fixed order, no NaN (JSON has none: null)."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "Result":
        """The inverse of `to_data`. Raises EvidenceError for another schema or missing keys."""
        if data.get("schema") != SCHEMA:
            raise EvidenceError(f"result has schema {data.get('schema')!r}; this hotloop reads {SCHEMA}: measure again")
        try:
            return _result(dict(data))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"result is incomplete or damaged ({error!r}); measure again") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0.0:  # NaN and infinities have no JSON
        return None
    return value


def _interval(data: Mapping[str, Any] | None) -> Interval | None:
    return None if data is None else Interval(median=data["median"], low=data["low"], high=data["high"])


def _verdicts(data: list[dict[str, Any]]) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(gate=i["gate"], outcome=Outcome(i["outcome"]), message=i["message"], numbers=i["numbers"]) for i in data
    )


def _trial(data: dict[str, Any]) -> Trial:
    data["speedup"], data["aa"] = _interval(data["speedup"]), _interval(data["aa"])
    data["verdicts"], data["plan"] = _verdicts(data["verdicts"]), tuple(data["plan"])
    data["memory"] = None if data["memory"] is None else Memory(**data["memory"])
    return Trial(**data)


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _result(data: dict[str, Any]) -> Result:
    del data["schema"]
    data["verdict"], data["clock"] = Outcome(data["verdict"]), Clock(data["clock"])
    data["speedup"], data["aa"] = _interval(data["speedup"]), _interval(data["aa"])
    data["trials"] = tuple(_trial(dict(item)) for item in data["trials"])
    data["verdicts"], data["plan"], data["notes"] = (
        _verdicts(data["verdicts"]),
        tuple(data["plan"]),
        tuple(data["notes"]),
    )
    data["environment"] = Environment(**_tuples(data["environment"]))
    data["curves"] = Curves(**_tuples(data["curves"]))
    return Result(**data)
