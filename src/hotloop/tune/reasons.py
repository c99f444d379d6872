"""Why a change was kept or rejected by its screening, in words that name what the objective counts."""

from hotloop.measurement import Interval
from hotloop.objective import MOST_SLOWDOWN, Objective
from hotloop.tune.screening import ScreeningResult


def kept_reason(result: ScreeningResult) -> str:
    """Of a change that is promising and passed its gates, or of a combination that there was no time to screen."""
    if result.interval is None:
        return "each is faster, and together they train the same model; not measured together before they are confirmed"
    gained = {
        Objective.THROUGHPUT: "faster",
        Objective.MEMORY: "less memory",
        Objective.BOTH: "faster and less memory, or one of them with the other no worse",
    }[result.objective]
    if result.objective is Objective.BOTH and result.interval and result.memory_interval:
        is_faster, is_smaller = result.interval.low > 1, result.memory_interval.low > 1
        gained = " and ".join(filter(None, ["faster" if is_faster else "", "less memory" if is_smaller else ""]))
    return f"{gained}, and trains the same model"


def rejection(result: ScreeningResult) -> str:
    """Of a change that was measured, or not, and did not gain what counts."""
    if result.interval is None:
        return "not measured"
    if result.objective is Objective.THROUGHPUT:
        return "slower" if result.interval.high < 1 else "no gain beyond the noise"
    if result.memory_interval is None:
        return "its memory was not measured"
    if result.objective is Objective.MEMORY:
        return _no_saving(result, result.memory_interval)
    return _no_gain_in_both(result.interval, result.memory_interval)


def without_reason(result: ScreeningResult) -> str:
    """Of a part of the plan that was left out again."""
    return {
        Objective.THROUGHPUT: "as fast without it",
        Objective.MEMORY: "as little memory without it",
        Objective.BOTH: "as good without it",
    }[result.objective]


def _no_saving(result: ScreeningResult, memory: Interval) -> str:
    if result.is_promising:
        return f"less memory, and the plan would take more than {MOST_SLOWDOWN:g} times as long"
    return "more memory" if memory.high < 1 else "no memory saved beyond the noise"


def _no_gain_in_both(speed: Interval, memory: Interval) -> str:
    if speed.low > 1 and memory.ratio < 1:
        return "faster, and takes more memory"
    if memory.low > 1 and speed.ratio < 1:
        return "less memory, and slower"
    return "worse" if speed.high < 1 or memory.high < 1 else "no gain beyond the noise"
