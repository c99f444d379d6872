"""Compares two results of variants.py: exits 1 with [FAIL] lines where the candidate is slower or learns otherwise.

    python benchmarks/hisso/compare.py baseline.json candidate.json [--modes compat] [--allow-missing]

Wall time is one-sided: a gain never fails. Both files carry the time of one fixed computation, so that a slower
machine is not taken for slower code. Rewards are compared relative to themselves, whichever way they differ: at equal
work they must be equal. A figure that is missing, NaN or infinite fails. Needs nothing but the standard library.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

SAME = ("series_length", "primary_dim", "episode_length", "feature_shape")
SCHEDULE = (
    "configured_batch_episodes",
    "configured_updates_per_epoch",
    "resolved_episode_batch_size",
    "resolved_updates_per_epoch",
    "resolved_episodes_per_epoch",
)
Key = tuple[str, str, str, str]


def main(argv: list[str]) -> int:
    """0 where nothing failed, 1 where something did, 2 for files that are no results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("baseline", type=Path)
    parser.add_argument("candidate", type=Path)
    parser.add_argument("--modes", default="", help="compare these modes only, with commas")
    parser.add_argument("--allow-missing", action="store_true", help="let the candidate lack some of the runs")
    parser.add_argument("--reward-rtol", type=float, default=0.1, help="largest relative difference of final rewards")
    parser.add_argument("--wall-rtol", type=float, default=0.25, help="largest relative loss of wall time")
    parser.add_argument("--no-normalize", action="store_true", help="compare seconds as they are")
    options = parser.parse_args(argv)
    try:
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in (options.baseline, options.candidate)]
        baseline, candidate = (_by_key(document, options.modes) for document in documents)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"cannot read the results: {error!r}; give two files written by variants.py\n")
        return 2
    speed = 1.0 if options.no_normalize else _speed(*documents)
    lines = _compare_all(baseline, candidate, speed, options)
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(line.startswith("[FAIL]") for line in lines))


def _by_key(document: dict[str, Any], modes: str) -> dict[Key, dict[str, Any]]:
    wanted = {mode.strip() for mode in modes.split(",") if mode.strip()}
    results = [entry for entry in document["results"] if not wanted or entry["mode"] in wanted]
    return {(e["dataset"], e["device"], e["variant"], e["mode"]): e for e in results}


def _speed(baseline: dict[str, Any], candidate: dict[str, Any]) -> float:
    """Seconds on the candidate's machine for one second on the baseline's; NaN where one file does not say."""
    before, after = (document["metadata"].get("calibration_s", math.nan) for document in (baseline, candidate))
    return after / before if _is_usable(before) and before > 0 and _is_usable(after) else math.nan


def _compare_all(
    baseline: dict[Key, dict[str, Any]], candidate: dict[Key, dict[str, Any]], speed: float, options: argparse.Namespace
) -> list[str]:
    if not baseline:
        return ["[FAIL] the baseline holds no run to compare; widen --modes or record one"]
    lines: list[str] = []
    for key, expected in baseline.items():
        name = "/".join(key)
        if key in candidate:
            lines += [
                f"{'[FAIL]' if is_bad else '[ok]'} {name}: {text}"
                for is_bad, text in _compare(expected, candidate[key], speed, options)
            ]
        else:
            lines.append(f"{'[skip]' if options.allow_missing else '[FAIL]'} {name}: not among the candidate's runs")
    if not any(key in candidate for key in baseline):
        lines.append("[FAIL] the two files have no run in common")
    return lines


def _compare(
    expected: dict[str, Any], found: dict[str, Any], speed: float, options: argparse.Namespace
) -> list[tuple[bool, str]]:
    different = [name for name in SAME if expected[name] != found.get(name)]
    different += [name for name in SCHEDULE if expected.get(name) != found.get(name)]
    if different:
        both = ", ".join(f"{name} {expected.get(name)} became {found.get(name)}" for name in different)
        return [(True, f"not the same work: {both}")]
    return [
        _reward(expected["final_reward_mean"], found.get("final_reward_mean"), options.reward_rtol),
        _wall(expected["mean_wall_time_s"], found.get("mean_wall_time_s"), speed, options.wall_rtol),
    ]


def _reward(before: Any, after: Any, rtol: float) -> tuple[bool, str]:
    if not (_is_usable(before) and _is_usable(after)):
        return True, f"final reward {before} became {after}: not a number"
    difference = abs(after - before) / abs(before) if before else float(after != before)
    return not difference <= rtol, f"final reward {before:.6g} became {after:.6g} ({difference:.1%} of {rtol:.0%})"


def _wall(before: Any, after: Any, speed: float, rtol: float) -> tuple[bool, str]:
    if not (_is_usable(before) and _is_usable(after) and _is_usable(speed) and before > 0 and speed > 0):
        return True, f"wall time {before} s became {after} s at machine speed {speed}: not comparable"
    ratio = after / (before * speed)
    return not ratio <= 1.0 + rtol, (
        f"wall time {before:.4g} s became {after:.4g} s: {ratio:.2f} times, after the machine's own {speed:.2f} "
        f"(at most {1.0 + rtol:.2f})"
    )


def _is_usable(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
