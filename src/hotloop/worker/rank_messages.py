"""What all ranks say, as if one worker had said it: the slowest counts, and nothing of any rank is left out."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]
_EVEN = 1.05  # a rank that takes no more than this many times what the others take is not called slow


def merged_turn(turns: Sequence[Message]) -> dict[str, Any]:
    """One turn of all ranks: of each step the slowest time and the mean loss, of processes what all take together."""
    steps = min(len(turn["wall"]) for turn in turns)
    clocks = {
        name: [max(values) for values in zip(*(turn[name][:steps] for turn in turns), strict=True)]
        for name in ("wall", "cpu", "cuda")
    }
    largest = ("threads", "program_threads", "prefetched_steps", "roots", "ready_seconds")
    return {
        **turns[0],
        **clocks,
        **{name: max(turn[name] for turn in turns) for name in largest},
        **{name: sum(turn[name] for turn in turns) for name in ("rss", "cuda_allocated", "cuda_reserved")},
        "losses": [_mean_loss([turn["losses"][step] for turn in turns]) for step in range(steps)],
        "steps": min(turn["steps"] for turn in turns),
        "children": len(turns) + sum(turn["children"] for turn in turns),
        "optimizers": sorted({name for turn in turns for name in turn["optimizers"]}),
        "not_applied": _not_applied(turns),
        "slowest_rank": slowest_rank(turns),
    }


def joined_turns(first: Message, second: Message) -> dict[str, Any]:
    """Two turns that followed each other as one."""
    samples = {name: [*first[name], *second[name]] for name in ("wall", "cpu", "cuda", "losses")}
    return {**second, **samples}


def merged_watch(seen: Sequence[Message]) -> dict[str, Any]:
    """One observation of all ranks, as of one program with the optimizers, buffers, draws and saves of all of them."""
    steps = min(len(one["losses"]) for one in seen)
    programs = [one["program"] for one in seen]
    return {
        **seen[0],
        "losses": [[loss for one in seen for loss in one["losses"][step]] for step in range(steps)],
        "graphs": sum(one["graphs"] for one in seen),
        "not_applied": _not_applied(seen),
        "seeds_itself": all(one["seeds_itself"] for one in seen),
        "ended": all(one["ended"] for one in seen),
        "program": None if None in programs else _merged_program(programs),
        "lightly": {**seen[0]["lightly"], "saves": [save for one in seen for save in one["lightly"]["saves"]]},
    }


def _not_applied(messages: Sequence[Message]) -> dict[str, str]:
    """What has changed nothing in at least one rank; the first of them says why."""
    return {name: why for message in reversed(messages) for name, why in message["not_applied"].items()}


def _merged_program(programs: Sequence[Message]) -> dict[str, Any]:
    rows = min(len(one["buffers"]) for one in programs)
    steps = min(len(one["inputs"]) for one in programs)
    draws = zip(*(one["positions"] for one in programs), strict=False)
    clippings = [one["clippings"] for one in programs]
    return {
        **programs[0],
        "optimizers": [optimizer for one in programs for optimizer in one["optimizers"]],
        "settings": [
            [owner if not rank else f"{owner} of rank {rank}", name, changes]
            for rank, one in enumerate(programs)
            for owner, name, changes in one["settings"]
        ],
        "buffer_names": [
            name if not rank else f"{name} of rank {rank}"
            for rank, one in enumerate(programs)
            for name in one["buffer_names"]
        ],
        "buffers": [[value for one in programs for value in one["buffers"][row]] for row in range(rows)],
        "inputs": [[root for one in programs for root in one["inputs"][step]] for step in range(steps)],
        "positions": [hash(of_ranks) for of_ranks in draws],  # of integers: the same in every process
        "passes": [one_pass for one in programs for one_pass in one["passes"]],
        "saves": [save for one in programs for save in one["saves"]],
        "clippings": None if None in clippings else [clipping for one in clippings for clipping in one],
    }


def slowest_rank(turns: Sequence[Message]) -> str:
    """Which rank the others wait for, by how much, and what takes it so long; or that none is slower."""
    own = [_own_seconds(turn) for turn in turns]
    totals = [math.fsum(parts.values()) for parts in own]
    slowest = max(range(len(turns)), key=totals.__getitem__)
    others = [rank for rank in range(len(turns)) if rank != slowest]
    usual = statistics.fmean(totals[rank] for rank in others)
    waited = 1e3 * min(map(_waiting_seconds, turns))
    exchange = f"all ranks wait {waited:.3g} ms a step for what they exchange"
    if totals[slowest] <= _EVEN * usual:
        return f"no rank is slower than the others by more than 5 %; {exchange}"
    usually = {part: statistics.fmean(own[rank][part] for rank in others) for part in own[slowest]}
    part = max(usually, key=lambda part: own[slowest][part] - usually[part])
    return (
        f"rank {slowest} is the slowest, and the others wait for it: it needs {1e3 * totals[slowest]:.3g} ms of its "
        f"own in a step, they {1e3 * usual:.3g} ms; what it waited for most is {part} ({1e3 * own[slowest][part]:.3g} "
        f"ms a step, theirs {1e3 * usually[part]:.3g} ms); {exchange}"
    )


def _own_seconds(turn: Message) -> dict[str, float]:
    """Seconds of a step that are the rank's own, by part: all but what it waits for others."""
    waits, steps = turn["waits"], _steps(turn)
    backward = min(waits["backward"], waits["backward_cpu"])
    rest = math.fsum(turn["wall"]) - waits["loader"] - waits["backward"] - waits["collectives"]
    return {
        "its loader": waits["loader"] / steps,
        "its own backward pass": backward / steps,
        "its own code beside loader and backward": max(0.0, rest) / steps,
    }


def _waiting_seconds(turn: Message) -> float:
    """Seconds of a step in which the rank waits for others: in backward what uses no CPU, and collectives elsewhere."""
    waits = turn["waits"]
    return (max(0.0, waits["backward"] - waits["backward_cpu"]) + waits["collectives"]) / _steps(turn)


def _steps(turn: Message) -> int:
    return max(1, len(turn["wall"]))


def _mean_loss(losses: Sequence[float | None]) -> float | None:
    known = [loss for loss in losses if loss is not None]
    return math.fsum(known) / len(known) if known else None
