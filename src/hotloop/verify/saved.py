"""Compares what two runs saved: the same keys, kinds and numbers, and tensors within what the noise explains."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from hotloop.verify.tolerance import Tolerance
from hotloop.worker.observation import Observation
from hotloop.worker.saved_object import FINAL_STATE, SavedLeaf, SavedObject

_TOLD = 3
_EQUAL = 1e-6
_SETTINGS = ("['param_groups']", "lrs']", "_lr']")  # what optimizers and schedulers are told, not what training made

Place = tuple[int, str]  # number of the save, path of the leaf


def differences_in_kind_of_saves(run: Observation, baseline: Observation) -> Iterator[str]:
    """Saves after other steps, of other keys, types, dtypes or shapes."""
    for ours, theirs in zip(run.saves, baseline.saves, strict=False):
        if ours.step != theirs.step:
            yield f"{theirs.title} comes after step {ours.step} in place of {theirs.step}"
            return
        if ours.digest != theirs.digest and (other := _other_kinds(*_of_shared_owners(ours, theirs))):
            yield f"{theirs.title}, after step {theirs.step}, {other}"
            return


def _of_shared_owners(ours: SavedObject, theirs: SavedObject) -> tuple[SavedObject, SavedObject]:
    """The final state of what lived to the end in both runs: when an object dies is no matter of training."""
    if theirs.title != FINAL_STATE or ours.title != FINAL_STATE:
        return ours, theirs
    shared = {_owner(path) for path in ours.leaves} & {_owner(path) for path in theirs.leaves}
    kept = ({path: leaf for path, leaf in one.leaves.items() if _owner(path) in shared} for one in (ours, theirs))
    mine, other = (replace(one, leaves=leaves) for one, leaves in zip((ours, theirs), kept, strict=True))
    return mine, other


def _owner(path: str) -> str:
    return path.partition("]")[0]


def _other_kinds(ours: SavedObject, theirs: SavedObject) -> str:
    """The first difference, in words; empty where all that both hold of a final state is of equal kinds."""
    missing = [path for path in theirs.leaves if path not in ours.leaves]
    added = [path for path in ours.leaves if path not in theirs.leaves]
    if missing or added:
        return f"lacks {missing[0]}" if missing else f"holds {added[0]} too"
    changed = (path for path, leaf in theirs.leaves.items() if ours.leaves[path].kind != leaf.kind)
    path = next(changed, None)
    if path is None:
        return "" if theirs.title == FINAL_STATE else "holds other keys, types or shapes"
    return f"holds {path} as {ours.leaves[path].kind} in place of {theirs.leaves[path].kind}"


def differences_in_values_of_saves(
    run: Observation,
    baseline: Observation,
    noisy: Sequence[Observation],
    tolerance: Tolerance,
    *,
    left_out: Collection[Place] = (),
) -> list[str]:
    """Tensors farther off than the noise explains, other numbers and other texts than the baseline saved.

    Whatever differs between the baseline and its `noisy` runs as well is not held to be equal. `left_out` are values
    that differ between two equal runs, such as times and paths.
    """
    found: list[str] = []
    unclear = _moved_by_rounding(baseline, tolerance.noise) if baseline.saves else set[str]()
    for number, (ours, theirs) in enumerate(zip(run.saves, baseline.saves, strict=False)):
        others = [other.saves[number] for other in noisy if len(other.saves) > number]
        title = f"{theirs.title}, after step {theirs.step}"
        found += [f"{title}: {told}" for told in _vectors(ours, theirs, others, tolerance, unclear)]
        paths = [path for path in theirs.leaves if path in ours.leaves and (number, path) not in left_out]
        for path in paths:
            mine, other = ours.leaves[path], theirs.leaves[path]
            noise = [one.leaves[path] for one in others if path in one.leaves]
            limit = _EQUAL if any(name in path for name in _SETTINGS) else None
            if (told := _value(mine, other, noise, tolerance, limit)) is not None:
                found.append(f"{title}: {path} is {told}")
    if len(found) > _TOLD:
        found[_TOLD:] = [f"{len(found) - _TOLD} more values that were saved differ"]
    return found


def not_repeated(first: Observation, second: Observation) -> set[Place]:
    """The values that two equal runs saved differently."""
    pairs = enumerate(zip(first.saves, second.saves, strict=False))
    return {
        (number, path)
        for number, (one, other) in pairs
        for path, leaf in one.leaves.items()
        if not leaf.sketch
        and path in other.leaves
        and (leaf.number, leaf.text) != (other.leaves[path].number, other.leaves[path].text)
    }


def not_compared(baseline: Observation) -> str | None:
    """Which part of what was saved nobody can look into; None where there is none."""
    for save in baseline.saves:
        for path, leaf in save.leaves.items():
            if not leaf.can_be_compared:
                return f"{path} of {save.title}, after step {save.step}, {leaf.kind}"
    return None


def _vectors(
    ours: SavedObject,
    theirs: SavedObject,
    noisy: Sequence[SavedObject],
    tolerance: Tolerance,
    unclear: Collection[str],
) -> Iterator[str]:
    noise = [_apart(other, theirs, unclear) for other in noisy]
    for group, gap in _apart(ours, theirs, unclear).items():
        limit = tolerance.step_factor * max((one.get(group, 0.0) for one in noise), default=0.0) + tolerance.later
        if not gap <= limit:
            yield f"{group!r} is off by {gap:.1e} (limit {limit:.1e})"


def _moved_by_rounding(baseline: Observation, clear: float) -> set[str]:
    """Names of the parameters whose gradient is mostly below `clear` of the whole one: such as a bias before
    batch-norm, which Adam moves by full steps of random sign.
    """
    found: set[str] = set()
    for optimizer in baseline.optimizers:
        sizes = np.maximum(np.nan_to_num(np.asarray(optimizer.gradients, dtype=np.float64)), 0.0)
        whole = np.linalg.norm(sizes, axis=1, keepdims=True)
        shares = np.median(sizes / np.maximum(whole, 1e-300), axis=0)
        found |= {name.partition(".")[2] for name, share in zip(optimizer.names, shares, strict=True) if share <= clear}
    return found


def _apart(ours: SavedObject, theirs: SavedObject, unclear: Collection[str]) -> dict[str, float]:
    """Of each vector, the relative 2-norm of the difference; what is not finite in either is far apart."""
    rows: dict[str, list[tuple[tuple[float, ...], tuple[float, ...]]]] = defaultdict(list)
    for path, leaf in theirs.leaves.items():
        mine = ours.leaves.get(path)
        name = path.rsplit("['", 1)[-1].removesuffix("']")
        if any(name == one or name.endswith(f".{one}") for one in unclear if one):
            continue
        if leaf.sketch and mine is not None and len(mine.sketch) == len(leaf.sketch):
            rows[leaf.group].append((mine.sketch, leaf.sketch))
    found: dict[str, float] = {}
    for group, pairs in rows.items():
        mine, other = (np.concatenate(part) for part in zip(*pairs, strict=True))
        both = np.isfinite(mine) & np.isfinite(other)
        if not np.array_equal(np.isfinite(mine), np.isfinite(other)):
            found[group] = float("inf")
            continue
        gap, size = float(np.linalg.norm((mine - other)[both])), float(np.linalg.norm(other[both]))
        found[group] = gap / max(size, 1e-300) if gap else 0.0
    return found


def _value(
    mine: SavedLeaf, other: SavedLeaf, noise: Sequence[SavedLeaf], tolerance: Tolerance, limit: float | None
) -> str | None:
    """In words, where a number or a text is another one than the noise explains."""
    if other.number is None or mine.number is None:
        moves = any(one.text != other.text for one in noise)
        return None if mine.text == other.text or moves else f"{mine.text} in place of {other.text}"
    if limit is None:
        widest = max((_number_gap(one.number, other.number) for one in noise), default=0.0)
        limit = tolerance.step_factor * widest + tolerance.later
    if _number_gap(mine.number, other.number) <= limit:
        return None
    return f"{mine.number:.7g} in place of {other.number:.7g}"


def _number_gap(mine: float | None, other: float) -> float:
    if mine is None or np.isfinite(mine) != np.isfinite(other):
        return float("inf")
    return abs(mine - other) / max(abs(other), 1e-300) if np.isfinite(mine) and mine != other else 0.0
