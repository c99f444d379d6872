"""Figures and verdicts in words: every report spells a speed-up, a duration and a plan through this file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from hotloop.measurement import Clock, Interval
from hotloop.objective import Objective
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome

NO_FIGURE = "not measured"
CLOCKS = {Clock.WALL: "wall time", Clock.CPU: "CPU time", Clock.CUDA: "GPU time"}


def speed(interval: Interval | None) -> str:
    """A speed-up such as `1.84x [1.79, 1.90]`; "not measured" where there is none.

    A single replicate bounds nothing, which reads `1.84x [0.00, inf]`.
    """
    if interval is None or not is_ratio(interval.ratio):
        return NO_FIGURE
    # Three figures or so: what an interval from a few replicates can carry.
    digits = 1 if interval.ratio >= 10.0 else 2 if interval.ratio >= 0.1 else 3
    low = _ratio(interval.low, digits) if is_ratio(interval.low) else f"{0:.{digits}f}"
    high = _ratio(interval.high, digits) if is_ratio(interval.high) else "inf"
    return f"{_ratio(interval.ratio, digits)}x [{low}, {high}]"


def is_ratio(value: float | None) -> TypeGuard[float]:
    """Whether this is a positive, finite number; JSON has null for others, so a redrawn result may hold None."""
    return value is not None and math.isfinite(value) and value > 0.0


def headline(result: Result) -> str:
    """The verdict in one sentence, with the confirmed figure and its clock."""
    figure = f"{speed(result.speedup)} as fast by {CLOCKS[result.clock]}"
    if result.method == "time to target" and result.speedup is not None:
        return _of_target(result.verdict, f"{speed(result.speedup)} as fast by {CLOCKS[result.clock]}")
    if result.objective.counts_memory:
        return _of_memory(result)
    if result.verdict is Outcome.PASS:
        return f"Proven: it trains {figure} and learns the same."
    start = "Not proven" if result.verdict is Outcome.FAIL else "Could not tell"
    return f"{start}: no speed-up was confirmed." if result.speedup is None else f"{start}: it ran {figure}."


def _of_memory(result: Result) -> str:
    """Where memory counts: both figures, that of the objective first."""
    start = {Outcome.PASS: "Proven", Outcome.FAIL: "Not proven", Outcome.INCONCLUSIVE: "Could not tell"}[result.verdict]
    end = " and learns the same" if result.verdict is Outcome.PASS else ""
    if result.speedup is None or result.memory_ratio is None:
        return f"{start}: neither memory nor speed was confirmed."
    figures = [f"needs {memory_change(result)}", f"trains {speed(result.speedup)} as fast by {CLOCKS[result.clock]}"]
    if result.objective is Objective.BOTH:
        figures.reverse()
    return f"{start}: it {', '.join(figures)}{end}."


def memory_change(result: Result) -> str:
    """How much less or more memory the plan needs, and the peaks: `1.39x [1.35, 1.43] less memory (8 -> 6 MiB)`."""
    found = result.memory_ratio
    told = f"{speed(found)} less memory"
    if found is not None and is_ratio(found.high) and found.high < 1:
        told = f"{speed(found.inverse)} more memory"
    elif found is not None and is_ratio(found.low) and found.low <= 1:
        told = f"the same memory within the interval, {speed(found)}"
    if found is None or result.baseline_memory is None or result.memory is None:
        return told
    peaks = (f"{memory.peak / 2**20:,.0f}" for memory in (result.baseline_memory, result.memory))
    return f"{told} ({' -> '.join(peaks)} MiB)"


def _of_target(verdict: Outcome, figure: str) -> str:
    """For a plan that trains otherwise by design: it makes no other step, and may not be faster at one."""
    start = {Outcome.PASS: "Proven", Outcome.FAIL: "Not proven", Outcome.INCONCLUSIVE: "Could not tell"}[verdict]
    return f"{start}: it reached the target loss {figure}."


def status(trial: Trial) -> str:
    """What became of a trial, in one word."""
    return "kept" if trial.kept else "refused"


def plan_title(plan: Sequence[Mapping[str, Any]]) -> str:
    """Names and options of a plan's tables in one line; "nothing" for the empty plan."""
    titles: list[str] = []
    for table in plan:
        options = ", ".join(f"{key}={value}" for key, value in table.items() if key != "name" and value is not None)
        titles.append(str(table.get("name", "unnamed")) + (f"({options})" if options else ""))
    return " + ".join(titles) or "nothing"


def plan_toml(plan: Sequence[Mapping[str, Any]]) -> str:
    """The text of plan.toml; empty for the empty plan."""
    import tomli_w

    tables = [{key: value for key, value in table.items() if value is not None} for table in plan]
    if any(isinstance(value, (Mapping, list, tuple)) for table in tables for value in table.values()):
        return tomli_w.dumps({"transform": tables})
    # tomli_w would put flat tables in one inline array; [[transform]] blocks are easier to read and to edit.
    return "\n".join(f"[[transform]]\n{tomli_w.dumps(table)}" for table in tables)


def payback(result: Result) -> str:
    """When compilation has been earned back, in steps and in training time."""
    if result.payback_steps is None:
        return "never"
    if result.payback_steps == 0:
        return "at once: nothing has to be earned back"
    steps = f"after {result.payback_steps:,} step{'' if result.payback_steps == 1 else 's'}"
    return steps if result.payback_seconds is None else f"{steps}, {duration(result.payback_seconds)} of training"


def duration(seconds: float) -> str:
    """A time span in the unit that a person would choose."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms" if seconds >= 0.9995e-3 else f"{seconds * 1e6:.3g} us"
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (hours, "h"), (minutes, "min"), (0 if hours else rest, "s")
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def mebibytes(num_bytes: int) -> str:
    """Bytes as MiB with one decimal; the unit stands in the table's head."""
    return f"{num_bytes / 2**20:,.1f}"


def printable(text: str) -> str:
    """The text with control characters, which a terminal would obey, shown as a replacement sign."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _ratio(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value < 1e5 else f"{value:.0e}"
