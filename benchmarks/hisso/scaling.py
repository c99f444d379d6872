"""How the cost of the episodic loop grows: with the number of episodes, and with the length of the series.

    python benchmarks/hisso/scaling.py [--rounds 5] [--plot docs/hisso_scaling.svg]

A residual sine net of 2 x 64 on a series of 4 features, windows of 64 steps, 8 episodes an update, one thread. Each
point is one train_episodic in a fresh process; points take turns in random order. Peak memory is that of the process.
Expected: time in proportion to episodes (exponent 1), flat in the length of the series (exponent 0), and memory above
that of the shortest series no more than a few times the series itself. Writes all samples.
"""

import argparse
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "amd-epyc-2-cores" / "hisso" / "scaling.json"
EPISODES = (64, 128, 256, 512, 1024, 2048)
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
BASE_LENGTH, BASE_EPISODES, FEATURES = 10_000, 512, 4


def main() -> None:
    """Take the points, fit the exponents, write document and plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "hisso_scaling.svg")
    parser.add_argument("--point", nargs=2, type=int, metavar=("EPISODES", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        sys.stdout.write(json.dumps(measure(*options.point)) + "\n")
        return
    document = _document(_samples(options.rounds))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((options.output, json.dumps(document, indent=1) + "\n"), (options.plot, plot(document))):
        write_whole(path, text)
    summary = {key: document[key] for key in ("episodes_exponent", "length_exponent", "memory_over_series")}
    sys.stdout.write(json.dumps(summary) + "\n")


def measure(episodes: int, steps: int) -> dict[str, float]:
    """Seconds of the loop and peak memory of this process, for so many episodes on a series of so many steps."""
    import torch

    from hotloop.models.residual import ResPSANN
    from hotloop.train.episodic import EpisodicOptions, train_episodic

    torch.manual_seed(0)
    model = ResPSANN(FEATURES, 2, hidden_layers=2, hidden_units=64)
    series = torch.randn(steps, FEATURES, generator=torch.Generator().manual_seed(0))

    def run(count: int) -> float:
        asked = EpisodicOptions(
            epochs=1, window=64, batch_episodes=8, updates_per_epoch=count // 8, primary_transform="softmax"
        )
        return train_episodic(model, series, asked, seed=0).profile.total_time_s

    run(64)
    seconds = run(episodes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"episodes": episodes, "steps": steps, "loop_s": seconds, "peak_bytes": peak}


def _samples(rounds: int) -> list[dict[str, float]]:
    points = [(count, BASE_LENGTH) for count in EPISODES]
    points += [(BASE_EPISODES, length) for length in LENGTHS if (BASE_EPISODES, length) not in points]
    rng, samples = random.Random(0), list[dict[str, float]]()
    for _ in range(rounds):
        for count, length in rng.sample(points, len(points)):
            call = [sys.executable, __file__, "--point", str(count), str(length)]
            samples.append(json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout))
    return samples


def _document(samples: list[dict[str, float]]) -> dict[str, Any]:
    by_episodes = {n: _median(samples, n, BASE_LENGTH, "loop_s") for n in EPISODES}
    by_length = {n: _median(samples, BASE_EPISODES, n, "loop_s") for n in LENGTHS}
    memory = {n: _median(samples, BASE_EPISODES, n, "peak_bytes") for n in LENGTHS}
    grown = memory[LENGTHS[-1]] - memory[LENGTHS[0]]
    return {
        "environment": asdict(record_environment(sys.argv, Path.cwd())),
        "loop_s_by_episodes": by_episodes,
        "loop_s_by_length": by_length,
        "peak_bytes_by_length": memory,
        "episodes_exponent": _exponent(by_episodes),
        "length_exponent": _exponent(by_length),
        "memory_over_series": grown / (4 * FEATURES * (LENGTHS[-1] - LENGTHS[0])),
        "samples": samples,
    }


def _median(samples: list[dict[str, float]], episodes: int, steps: int, name: str) -> float:
    return statistics.median(s[name] for s in samples if (s["episodes"], s["steps"]) == (episodes, steps))


def _exponent(points: dict[int, float]) -> float:
    """The slope of the logs: 1 for a cost in proportion, 0 for one that stays."""
    return statistics.linear_regression([math.log(x) for x in points], [math.log(y) for y in points.values()]).slope


def plot(document: dict[str, Any]) -> str:
    """Both curves on logarithmic axes, side by side, as a picture that stands alone."""
    panels = [
        ("episodes", document["loop_s_by_episodes"], document["episodes_exponent"]),
        ("steps in the series", document["loop_s_by_length"], document["length_exponent"]),
    ]
    times = [value for _, points, _ in panels for value in points.values()]
    low, high = math.log10(min(times)) - 0.15, math.log10(max(times)) + 0.15
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 320" font-family="sans-serif" font-size="12">',
        '<rect width="760" height="320" fill="#ffffff"/>',
    ]
    for index, (label, points, exponent) in enumerate(panels):
        parts += _panel(70 + 360 * index, label, points, exponent, (low, high))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(left: int, label: str, points: dict[int, float], exponent: float, limits: tuple[float, float]) -> list[str]:
    width, height, top = 290, 220, 40
    logs = [math.log10(x) for x in points]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - logs[0]) / (logs[-1] - logs[0])
        up = (math.log10(y) - limits[0]) / (limits[1] - limits[0])
        return left + 12 + (width - 24) * across, top + height * (1 - up)

    places = [place(x, y) for x, y in points.items()]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [
        f'<text x="{left}" y="24" font-weight="bold">time of the loop by {label} (exponent {exponent:.2f})</text>',
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999999"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f6f8b" stroke-width="2"/>',
    ]
    for (x, y), (value, seconds) in zip(places, points.items(), strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1f6f8b"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{value:,}</text>')
        parts.append(f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle" fill="#333333">{_short(seconds)}</text>')
    return [*parts, f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle">{label}</text>']


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


if __name__ == "__main__":
    main()
