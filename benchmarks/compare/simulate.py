"""Simulates whole series of process pairs, step by step, and counts false claims and power of the decision rule.

    python benchmarks/compare/simulate.py [--series 2000] [--samples BLOCKS.json ...]

Writes benchmarks/results/<machine>/simulation.json. `--samples` takes recorded blocks of identical workers, JSON lists
of {"pair", "round", "arm", "wall", "cpu"} as record.py writes them, and adds scenarios with noise fitted to them.
"""

import argparse
import dataclasses
import datetime
import json
import math
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy import signal, stats

from hotloop.compare.comparison import MARGIN, MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.compare.inference import CONFIDENCE, between_replicate_spread, replicate_estimate
from hotloop.compare.power import provable_effect, replicates_needed
from hotloop.estimate import Estimate
from hotloop.machine.environment import cores, cpu_model
from hotloop.whole_file import write_whole

ROUNDS, STEPS = 12, 5  # the first of the five refills the caches
ARMS = ("baseline", "again", "candidate")
EFFECTS = (0.0, 0.02, 0.03, 0.05, 0.10, 0.20)
CACHE_REFILL = 0.3  # log of the extra time of a block's first step
MACHINE_SHARE = 0.5  # of the variance of step noise: common to whatever runs at that moment


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of log step times.

    `between` is the standard deviation over process pairs of the log ratio of two identical workers; `within` and `rho`
    the standard deviation and lag-1 autocorrelation of steps inside a worker; `tails` the degrees of freedom of its
    shocks (infinite: Gaussian); `drift` the standard deviation of a slow wander over the life of a pair, `stalls` the
    share of steps that stall for an exponential time; `candidate` scales the offset of the candidate's processes
    (another allocator, another spread); `bimodal` gives each process one of two speeds.
    """

    between: float
    within: float
    rho: float = 0.6
    tails: float = math.inf
    drift: float = 0.0
    stalls: float = 0.0
    candidate: float = 1.0
    bimodal: bool = False


# Spread between pairs of processes, and noise of a step that gives the standard error inside a pair (2, 1.7 and 0.5 %):
# seen with two equal workers of a small conv net on two cores, free, pinned to one core, and pinned with tcmalloc.
LEVELS = {
    "9%": Noise(between=0.09, within=0.065),
    "3%": Noise(between=0.03, within=0.055),
    "0.5%": Noise(between=0.005, within=0.016),
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "autocorrelated": {},
    "heavy tails and stalls": {"tails": 3.0, "stalls": 0.03},
    "drifting": {"drift": 0.10},
    "two speeds": {"bimodal": True},
    "wide candidate": {"candidate": 2.0},
    "steady candidate": {"candidate": 0.3},
    "no autocorrelation": {"rho": 0.0},
}


def step_seconds(
    noise: Noise, series: int, pairs: int, rng: np.random.Generator, own_offsets: np.ndarray | None = None
) -> np.ndarray:
    """Step times without any effect, shape (series, pairs, arms, rounds, steps), about 10 ms each.

    `own_offsets` (series, pairs, arms) are those of processes that were measured before; otherwise they are drawn.
    """
    shape = (series, pairs, ROUNDS, len(ARMS), STEPS)  # in the order of time: arms take turns in every round
    moment = autocorrelated(noise, (series, pairs, ROUNDS * len(ARMS) * STEPS), rng).reshape(shape)
    order = rng.permuted(np.broadcast_to(np.arange(len(ARMS)), shape[:-1]), axis=-1)
    moment += wander(noise, shape[:-1], rng)[..., None]
    moment = np.take_along_axis(moment, order[..., None], axis=3).swapaxes(2, 3)
    own = autocorrelated(noise, (series, pairs, len(ARMS), ROUNDS * STEPS), rng).reshape(moment.shape)
    logs = noise.within * (math.sqrt(MACHINE_SHARE) * moment + math.sqrt(1 - MACHINE_SHARE) * own)
    logs += (rng.random(logs.shape) < noise.stalls) * rng.exponential(0.7, logs.shape)
    own_offsets = offsets(noise, (series, pairs, len(ARMS)), rng) if own_offsets is None else own_offsets
    logs += own_offsets[..., None, None]
    logs[..., 0] += CACHE_REFILL
    return 0.01 * np.exp(logs)


def autocorrelated(noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """AR(1) along the last axis, of unit variance (of its shocks' scale where tails have none)."""
    shocks = rng.standard_normal(shape) if math.isinf(noise.tails) else rng.standard_t(noise.tails, shape)
    if noise.tails > 2 and not math.isinf(noise.tails):
        shocks /= math.sqrt(noise.tails / (noise.tails - 2))
    innovations = shocks * math.sqrt(1 - noise.rho**2)
    innovations[..., 0] = shocks[..., 0]
    return signal.lfilter([1.0], [1.0, -noise.rho], innovations, axis=-1)


def wander(noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A random walk from turn to turn of a pair, in units of the step noise that it is added to."""
    series, pairs, *turns = shape
    walk = np.cumsum(rng.standard_normal((series, pairs, math.prod(turns))), axis=-1).reshape(shape)
    return walk * noise.drift / math.sqrt(math.prod(turns)) / (noise.within * math.sqrt(MACHINE_SHARE))


def offsets(noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """What each process keeps for life: the ratio of two of them spreads by `between`."""
    unit = rng.choice([-1.0, 1.0], shape) if noise.bimodal else rng.standard_normal(shape)
    return unit * noise.between / math.sqrt(2) * np.array([1.0, 1.0, noise.candidate])


@dataclass(frozen=True, kw_only=True)
class Series:
    """All the pairs that one series could take, candidate and A/A."""

    effects: tuple[Estimate, ...]
    aa_effects: tuple[Estimate, ...]

    def with_effect(self, ratio: float) -> "Series":
        """As if each step of the candidate were `ratio` times faster: scaling times moves only the log ratios."""
        moved = (dataclasses.replace(e, log_ratio=e.log_ratio + math.log(ratio)) for e in self.effects)
        return Series(effects=tuple(moved), aa_effects=self.aa_effects)


def simulated(noise: Noise, *, series: int, seed: int, pairs: int = MAXIMUM_REPLICATES) -> list[Series]:
    """Series without an effect, each step simulated and judged by `replicate_estimate`."""
    rng = np.random.default_rng(seed)
    return [_series(times.tolist()) for times in step_seconds(noise, series, pairs, rng)]


def _series(pairs: list[list[list[list[float]]]]) -> Series:
    return Series(
        effects=tuple(replicate_estimate(baseline, candidate) for baseline, _, candidate in pairs),
        aa_effects=tuple(replicate_estimate(baseline, again) for baseline, again, _ in pairs),
    )


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one series ended."""

    claim: str
    pairs: int


def run(series: Series, *, margin: float = MARGIN, either_way: bool = True) -> Ending:
    """The whole procedure: a pair at a time until `decided`, then the verdict."""
    for pairs in range(1, len(series.effects) + 1):
        seen, aa = series.effects[:pairs], series.aa_effects[:pairs]
        if Comparison(seen, aa, margin=margin).decided(maximum=len(series.effects), either_way=either_way):
            break
    if Comparison(seen, aa, margin=margin).verdict().passed:
        return Ending(claim="faster", pairs=pairs)
    return Ending(claim="slower" if Comparison(seen, aa, margin=margin).is_slower else "none", pairs=pairs)


def rates(series: Sequence[Series]) -> dict[str, float]:
    """Shares of series that claimed a gain or a loss, and the mean number of pairs they took."""
    endings = [run(one) for one in series]
    total = len(endings)
    return {
        "faster": sum(e.claim == "faster" for e in endings) / total,
        "slower": sum(e.claim == "slower" for e in endings) / total,
        "pairs": sum(e.pairs for e in endings) / total,
    }


def fit_noise(
    blocks: Iterable[Mapping[str, Any]], clock: str = "wall", *, baseline: str = "baseline", again: str = "again"
) -> Noise:
    """The noise of recorded blocks: AR(1) coefficient, spread and tails of steps inside a worker, spread between pairs.

    Steps are taken as log deviations from their worker's mean, the first of each block dropped. The spread between
    pairs is that of the A/A ratios less what the rounds inside a pair explain.
    """
    workers: dict[tuple[int, str], dict[int, list[float]]] = defaultdict(dict)
    for block in blocks:
        workers[block["pair"], block["arm"]][block["round"]] = list(block[clock])
    deviations = [row for rounds in workers.values() for row in _deviations(rounds.values())]
    every = np.concatenate(deviations)
    before = np.concatenate([row[:-1] for row in deviations])
    after = np.concatenate([row[1:] for row in deviations])
    kurtosis = float(stats.kurtosis(every))
    return Noise(
        between=_between(workers, baseline, again),
        within=float(every.std()),
        rho=float(np.clip((before * after).mean() / every.var(), -0.99, 0.99)),
        tails=max(3.0, 4 + 6 / kurtosis) if kurtosis > 0.5 else math.inf,  # kurtosis of Student's t: 6 / (df - 4)
    )


def _deviations(rounds: Iterable[list[float]]) -> list[np.ndarray]:
    logs = [np.log(steps[1:]) for steps in rounds if len(steps) > 1]
    centre = np.mean(np.concatenate(logs))
    return [row - centre for row in logs]


def _between(workers: Mapping[tuple[int, str], Mapping[int, list[float]]], baseline: str, again: str) -> float:
    """0 where the rounds inside the pairs explain all the spread. Raises MeasurementError without A/A pairs."""
    effects: list[Estimate] = []
    for pair in sorted({pair for pair, arm in workers if arm == again}):
        both = sorted(set(workers[pair, baseline]) & set(workers[pair, again]))
        effects.append(
            replicate_estimate(*([workers[pair, arm][number] for number in both] for arm in (baseline, again)))
        )
    inside = float(np.mean([effect.standard_error**2 for effect in effects])) if effects else 0.0
    return math.sqrt(max(0.0, between_replicate_spread(effects) ** 2 - inside))


def scenario(name: str, level: str, noise: Noise, *, series: int, seed: int) -> dict[str, Any]:
    """False claims with their 95 % bounds, power by effect in both directions, and the forecast of the planner."""
    flat = simulated(noise, series=series, seed=seed)
    none = rates(flat)
    false = round((none["faster"] + none["slower"]) * series)
    bounds = stats.binomtest(false, series).proportion_ci(0.95)
    spread = math.sqrt(float(np.mean([between_replicate_spread(one.aa_effects) ** 2 for one in flat])))
    curve = {f"{effect:g}": _power(flat, effect) for effect in EFFECTS[1:]}
    return {
        "kind": name,
        "level": level,
        "noise": {key: value if math.isfinite(value) else None for key, value in dataclasses.asdict(noise).items()},
        "series": series,
        "seed": seed,
        "false_claims": {"rate": false / series, "low": bounds.low, "high": bounds.high, **none},
        "spread_of_aa": spread,
        "provable_effect": {
            str(pairs): provable_effect(spread, pairs) for pairs in range(MINIMUM_REPLICATES, MAXIMUM_REPLICATES + 1)
        },
        "power": curve,
    }


def _power(flat: Sequence[Series], effect: float) -> dict[str, float]:
    faster = rates([one.with_effect(1 + effect) for one in flat])
    slower = rates([one.with_effect(1 / (1 + effect)) for one in flat])
    return {
        "faster": faster["faster"],
        "slower": slower["slower"],
        "wrong_direction": max(faster["slower"], slower["faster"]),
        "pairs": faster["pairs"],
    }


def forecasts(series: int, seed: int) -> list[dict[str, float]]:
    """For a spread and an effect: the pairs that the planner asks for, and the power that they then have."""
    found: list[dict[str, float]] = []
    for spread, effect in ((0.005, 0.03), (0.005, 0.05), (0.03, 0.05), (0.03, 0.10), (0.09, 0.20)):
        pairs = replicates_needed(spread, effect)
        noise = Noise(between=spread, within=0.001)
        flat = simulated(noise, series=series, seed=seed, pairs=pairs)
        power = rates([one.with_effect(1 + effect) for one in flat])
        found.append(
            {"spread": spread, "effect": effect, "pairs": pairs, "power": power["faster"], "used": power["pairs"]}
        )
    return found


def table(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """False claims and power, one line a scenario."""
    head = " ".join(f"{f'+{effect:.0%}':>10}" for effect in EFFECTS[1:])
    lines = [f"{'noise':<24} {'level':>6} {'false claims':>20}  {head}   (power; pairs taken)"]
    for one in scenarios:
        false = one["false_claims"]
        bounds = f"{false['rate']:.2%} ({false['low']:.2%}-{false['high']:.2%})"
        power = " ".join(f"{_cell(power):>10}" for power in one["power"].values())
        lines.append(f"{one['kind']:<24} {one['level']:>6} {bounds:>20}  {power}")
    return "\n".join(lines)


def _cell(power: Mapping[str, float]) -> str:
    return f"{power['faster']:.0%} ({power['pairs']:.1f})"


def machine() -> str:
    """The CPU's name and the number of cores, fit for a folder."""
    return re.sub(r"[^a-z0-9]+", "-", f"{cpu_model()[0]} {len(cores())} cores".lower()).strip("-")


def plans(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[str, str, Noise]]:
    """Kind, level and noise of every scenario; recorded noise also with its spread set to that of each level."""
    found = [
        (kind, level, dataclasses.replace(noise, **change))
        for kind, change in KINDS.items()
        for level, noise in LEVELS.items()
    ]
    for name, blocks in samples.items():
        for clock in ("wall", "cpu"):
            fitted, kind = fit_noise(blocks, clock), f"{name}, {clock}"
            found.append((kind, "own", fitted))
            found += [(kind, level, dataclasses.replace(fitted, between=LEVELS[level].between)) for level in LEVELS]
    return found


def measured(samples: Mapping[str, Sequence[Mapping[str, Any]]], *, series: int, seed: int) -> dict[str, Any]:
    """The document without its heading."""
    scenarios: list[dict[str, Any]] = []
    planned = plans(samples)
    for number, (kind, level, noise) in enumerate(planned):
        scenarios.append(scenario(kind, level, noise, series=series, seed=seed + number))
        print(f"{number + 1} of {len(planned)}: {kind}, {level}", file=sys.stderr)
    return {
        "rule": {
            "confidence": CONFIDENCE,
            "margin": MARGIN,
            "pairs": [MINIMUM_REPLICATES, MAXIMUM_REPLICATES],
            "rounds": ROUNDS,
            "steps": STEPS,
        },
        "scenarios": scenarios,
        "forecasts": forecasts(min(series, 1000), seed),
    }


def summary(document: Mapping[str, Any]) -> str:
    """Everything for people."""
    lines = [table(document["scenarios"]), ""]
    for f in document["forecasts"]:
        asked = f"spread {f['spread']:.1%}, effect {f['effect']:.0%}: {f['pairs']} pairs planned"
        lines.append(f"{asked}, power {f['power']:.0%}, {f['used']:.1f} pairs used")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=Path, nargs="*", default=[], help="JSON lists of recorded blocks")
    results = Path(__file__).parents[1] / "results" / machine() / "simulation.json"
    parser.add_argument("--out", type=Path, default=results)
    options = parser.parse_args()
    samples = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in options.samples}
    heading = {
        "schema": 1,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "command": shlex.join(["python", *sys.argv]),
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__},
    }
    document = {**heading, **measured(samples, series=options.series, seed=options.seed)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.out, json.dumps(document, indent=1, allow_nan=False) + "\n")
    print(summary(document))


if __name__ == "__main__":
    main()
