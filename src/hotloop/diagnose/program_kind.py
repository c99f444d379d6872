"""What kind of program it is: what most of a step goes to, and the figure behind it.

A program is data-bound where steps wait for batches, compute-bound where operators do much arithmetic for each byte,
memory-bound where they do little, and overhead-bound where the time is neither: Python, and calls of operators on
next to nothing. Arithmetic and memory are told apart as in the roofline model (Williams, Waterman, Patterson 2009).
"""

from collections.abc import Mapping
from typing import Any

from hotloop.diagnose.phase_times import PhaseTimes

DATA, OVERHEAD, MEMORY, COMPUTE = "data-bound", "overhead-bound", "memory-bound", "compute-bound"
_WORDS = {
    "decoding": (
        "decode",
        "imread",
        "load",
        "parse",
        "json",
        "csv",
        "parquet",
        "encode",
        "token",
        "frombuffer",
        "split",
    ),
    "storage": ("open", "read", "seek", "recv", "sleep", "execute", "fetchone", "fetchall", "memmap", "download"),
    "augmentation": ("rand", "flip", "crop", "rotate", "jitter", "noise", "normalize", "normal", "transform", "resize"),
}
_WORTH_NAMING = 0.05


def program_kind(times: PhaseTimes, seen: Mapping[str, Any]) -> dict[str, Any]:
    """{"kind", "share", "shares", "inside", "message"}: JSON data for the document; empty where no step was timed.

    `kind` is None where what operators do could not be seen. `inside` has the shares of a step that the parts of
    loading take, for a data-bound program.
    """
    if not times.seconds:
        return {}
    data = _data_share(times)
    operators = seen.get("operators")
    hidden = None if operators else "no step was left to look at its operators"
    if operators and operators.get("compiled"):
        hidden = "what compiled code does was not looked into"
    work = {} if data >= 0.5 or not operators or hidden else _work(operators, seen.get("trace"), 1.0 - data)
    shares = {DATA: data, **work}
    kind = max(shares, key=lambda name: shares[name])
    if hidden and data < 0.5:
        message = f"not data-bound, which is all that can be said: {data:.0%} of a step waits for data, and {hidden}"
        return {"kind": None, "share": data, "shares": shares, "inside": {}, "message": message}
    inside = _inside(times, seen.get("loading")) if kind == DATA else {}
    message = f"{kind}: {shares[kind]:.0%} of a step {_told(kind, operators, seen.get('loading'), inside)}"
    return {"kind": kind, "share": shares[kind], "shares": shares, "inside": inside, "message": message}


def _data_share(times: PhaseTimes) -> float:
    """Of an ordinary step or, where starting a loader takes longer than it saves, of all time."""
    loading = ("data_wait", "host_to_device", "loader_start")
    ordinary = sum(times.shares.get(name, 0.0) for name in loading)
    return max(ordinary, sum(times.share_of_all(times.all.get(name, 0.0)) for name in loading))


def _work(operators: Mapping[str, Any], trace: Mapping[str, Any] | None, rest: float) -> dict[str, float]:
    """Shares of the step outside of loading; on a GPU the kernels' time is split as the host's is."""
    compute, memory = operators["compute_share"], operators["memory_share"]
    whole = compute + memory
    busy = min(rest, trace["kernel_share"] if trace else whole)
    scale = busy / whole if whole else 0.0
    return {COMPUTE: scale * compute, MEMORY: scale * memory, OVERHEAD: rest - scale * whole}


def _inside(times: PhaseTimes, loading: Mapping[str, Any] | None) -> dict[str, float]:
    """The parts of loading, by the names of what the lines of the data set call."""
    found: dict[str, float] = {}
    for stage in loading["stages"] if loading else ():
        part = _part_of(stage["path"], stage["callee"])
        found[part] = found.get(part, 0.0) + stage["share"]
    waiting = times.shares.get("data_wait", 0.0)
    if loading and loading["workers"]["processes"]:
        found["queueing"] = max(0.0, waiting - sum(found.values()))
    found["copying"] = times.shares.get("host_to_device", 0.0)
    found["starting workers"] = times.share_of_all(times.all.get("loader_start", 0.0))
    return {name: share for name, share in sorted(found.items(), key=lambda item: -item[1]) if share > 0.0}


def _part_of(path: str, callee: str) -> str:
    if not path:
        return "collating"
    return next((part for part, words in _WORDS.items() if any(word in callee for word in words)), "computing samples")


def _told(
    kind: str, operators: Mapping[str, Any] | None, loading: Mapping[str, Any] | None, inside: Mapping[str, float]
) -> str:
    if kind == DATA:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in inside.items() if share >= _WORTH_NAMING)
        stages = [stage for stage in (loading["stages"] if loading else ()) if stage["path"]]
        at = f", most at line {stages[0]['line']}" if stages and stages[0]["share"] >= _WORTH_NAMING else ""
        return "waits for data" + (f" ({parts}{at})" if parts else "")
    calls = f"{operators['per_step']:.0f} operators are called in it" if operators else ""
    return {
        COMPUTE: "goes to operators that do 8 or more operations for each byte",
        MEMORY: "goes to operators that do fewer than 8 operations for each byte that they read or write",
        OVERHEAD: f"is neither data nor the work of operators: it is Python and calls; {calls}",
    }[kind]
