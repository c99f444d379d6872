"""Simulates confirmations as they are run: stretches, lockstep of the same processes, and the choice between the two.

    python benchmarks/compare/simulate_two_ways.py [--series 1000]

Every series goes through the rules themselves (`TwoWays`, `is_sharp`, `Comparison.decided`), looking after each
replicate from the third to the tenth. Stretches of the three arms follow one another, so that what the machine does
meanwhile is in their difference; lockstep follows in the same processes, which keep their own speed. Where something
works beside the steps there is no lockstep. Writes benchmarks/results/<machine>/simulation_two_ways.json.
"""

import argparse
import datetime
import json
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from simulate import ARMS, KINDS, LEVELS, MACHINE_SHARE, Noise, autocorrelated, machine, offsets, step_seconds, wander

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.compare.inference import replicate_estimate, stretch_estimate
from hotloop.compare.series import AGAIN, BASELINE
from hotloop.estimate import Estimate
from hotloop.proof.confirm import is_sharp
from hotloop.proof.two_ways import PLAN, TwoWays
from hotloop.whole_file import write_whole

_PLACES = {BASELINE: 0, AGAIN: 1, PLAN: 2}
_STEPS_OF_A_STRETCH = 96
_EFFECTS = (1.05, 1.1, 1.2)


@dataclass(frozen=True, kw_only=True)
class SimulatedSeries:
    """What TwoWays asks of a ReplicateSeries, from estimates that are there already."""

    step: dict[str, list[Estimate]]
    trimmed: dict[str, list[Estimate]]
    works_beside: bool
    is_lockstep_possible: bool = True

    def comparison(self, arm: str) -> Comparison:
        """By `step`, which in the series of stretches is the whole of them."""
        return Comparison(self.step[arm], self.step[AGAIN])

    def alone(self, arm: str, *, trimmed: bool = False) -> Comparison:
        """As ReplicateSeries.alone."""
        found = self.trimmed if trimmed else self.step
        return Comparison(found[arm], found[AGAIN])

    def first(self, replicates: int) -> "SimulatedSeries":
        """As it stood after so many replicates."""
        step, trimmed = ({arm: one[:replicates] for arm, one in found.items()} for found in (self.step, self.trimmed))
        return SimulatedSeries(step=step, trimmed=trimmed, works_beside=self.works_beside)


def stretch_seconds(noise: Noise, own_offsets: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Steps of uninterrupted stretches, shape (series, replicates, arms, steps): the arms follow in random order."""
    series, replicates, arms = own_offsets.shape
    shape = (series, replicates, arms, steps)  # in the order of time
    moment = autocorrelated(noise, (series, replicates, arms * steps), rng).reshape(shape)
    moment += wander(noise, (series, replicates, arms), rng)[..., None]
    order = rng.permuted(np.broadcast_to(np.arange(arms), (series, replicates, arms)), axis=-1)
    moment = np.take_along_axis(moment, order[..., None], axis=2)
    own = autocorrelated(noise, shape, rng)
    logs = noise.within * (math.sqrt(MACHINE_SHARE) * moment + math.sqrt(1 - MACHINE_SHARE) * own)
    logs += (rng.random(shape) < noise.stalls) * rng.exponential(0.7, shape)
    return 0.01 * np.exp(logs + own_offsets[..., None])


def simulated(noise: Noise, *, series: int, seed: int, works_beside: bool, ratio: float = 1.0) -> list[TwoWays]:
    """Confirmations of ten replicates in which the plan is `ratio` times as fast."""
    rng = np.random.default_rng(seed)
    own = offsets(noise, (series, MAXIMUM_REPLICATES, len(ARMS)), rng)
    own[..., _PLACES[PLAN]] -= math.log(ratio)
    alone = stretch_seconds(noise, own, _STEPS_OF_A_STRETCH, rng).tolist()
    together = step_seconds(noise, series, MAXIMUM_REPLICATES, rng, own).tolist()
    return [_two_ways(*both, works_beside=works_beside) for both in zip(alone, together, strict=True)]


def _two_ways(alone: list[Any], together: list[Any], *, works_beside: bool) -> TwoWays:
    def stretches(*, trimmed: bool) -> dict[str, list[Estimate]]:
        return {
            arm: [stretch_estimate(one[0], one[_PLACES[arm]], trimmed=trimmed) for one in alone]
            for arm in (AGAIN, PLAN)
        }

    lockstep = {arm: [replicate_estimate(one[0], one[_PLACES[arm]]) for one in together] for arm in (AGAIN, PLAN)}
    return TwoWays(
        lockstep=SimulatedSeries(step=lockstep, trimmed={}, works_beside=works_beside),
        stretches=SimulatedSeries(
            step=stretches(trimmed=False), trimmed=stretches(trimmed=True), works_beside=works_beside
        ),
        changes_loading=False,
    )


def claim(both: TwoWays, *, most: int = MAXIMUM_REPLICATES) -> tuple[str, int]:
    """What `confirm` would claim with time for `most` replicates, and how many it took."""
    for replicates in range(MINIMUM_REPLICATES, most + 1):
        seen = TwoWays(
            lockstep=both.lockstep.first(replicates),
            stretches=both.stretches.first(replicates),
            changes_loading=False,
        )
        if seen.quoted.decided(maximum=most) and is_sharp(seen.quoted):
            break
    if seen.verdict().passed:
        return "faster", replicates
    return ("slower" if seen.quoted.is_slower else "none"), replicates


def scenario(kind: str, level: str, noise: Noise, *, series: int, seed: int, works_beside: bool) -> dict[str, Any]:
    """False claims with their 95 % bounds, with time for ten replicates and for three, and the power."""
    flat = simulated(noise, series=series, seed=seed, works_beside=works_beside)
    found = {most: [claim(one, most=most)[0] != "none" for one in flat] for most in (MAXIMUM_REPLICATES, 3)}
    bounds = {most: stats.binomtest(sum(one), series).proportion_ci(0.95) for most, one in found.items()}
    few = max(50, series // 5)
    power = {
        f"{effect:g}": float(
            np.mean([claim(one)[0] == "faster" for one in _with(noise, effect, few, seed, works_beside=works_beside)])
        )
        for effect in _EFFECTS
    }
    return {
        "kind": kind,
        "level": level,
        "works_beside": works_beside,
        "series": series,
        "false_claims": {
            str(most): {"rate": sum(one) / series, "low": bounds[most].low, "high": bounds[most].high}
            for most, one in found.items()
        },
        "power": power,
    }


def _with(noise: Noise, effect: float, series: int, seed: int, *, works_beside: bool) -> list[TwoWays]:
    return simulated(noise, series=series, seed=seed + 1, works_beside=works_beside, ratio=effect)


def table(scenarios: Sequence[dict[str, Any]]) -> str:
    """One line a scenario."""
    lines = [f"{'noise':<24} {'level':>5} {'beside':>6} {'false claims (10, 3 replicates)':>32}   power"]
    for one in scenarios:
        false = " ".join(f"{f['rate']:.2%}" for f in one["false_claims"].values())
        power = " ".join(f"{effect}x {share:.0%}" for effect, share in one["power"].items())
        lines.append(f"{one['kind']:<24} {one['level']:>5} {one['works_beside']!s:>6} {false:>32}   {power}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scenarios: list[dict[str, Any]] = []
    for works_beside in (False, True):
        for kind, change in KINDS.items():
            for level, noise in LEVELS.items():
                one = scenario(
                    kind,
                    level,
                    Noise(**{**vars(noise), **change}),
                    series=given.series,
                    seed=given.seed + 2 * len(scenarios),
                    works_beside=works_beside,
                )
                scenarios.append(one)
                print(table([one]).splitlines()[1], flush=True)
    total = sum(one["series"] for one in scenarios)
    all_false = sum(one["false_claims"]["10"]["rate"] * one["series"] for one in scenarios)
    document = {
        "schema": 1,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shlex.join(["python", *sys.argv]),
        "false_claims_of_all": all_false / total,
        "scenarios": scenarios,
    }
    write_whole(
        Path(__file__).parents[1] / "results" / machine() / "simulation_two_ways.json",
        json.dumps(document, indent=1, allow_nan=False) + "\n",
    )
    print(f"false claims over all {total} series: {all_false / total:.3%}")


if __name__ == "__main__":
    main()
