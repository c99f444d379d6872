"""How often a change is told where there is none, and how often exactly the three that were planted.

`python benchmarks/history/simulate.py [SERIES]`. 200 commits each, with 1.5 % noise: Gaussian, autocorrelated (AR(1),
0.3), and with 5 % outliers of 15 %. The planted changes are +8 %, -6 % and +5 %; one counts as found within three
commits of its place.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from hotloop.history.changes import find_changes
from hotloop.history.series import FigureSeries, Point

PLANTED = {50: 1.08, 110: 0.94, 160: 1.05}
COMMITS, NOISE = 200, 0.015
OUT = Path(__file__).parents[1] / "results" / "history" / "simulation.json"


def noise(kind, random):
    values = random.normal(0.0, NOISE, COMMITS)
    if kind == "autocorrelated":
        for place in range(1, COMMITS):
            values[place] += 0.3 * values[place - 1]
    if kind == "outliers":
        hit = random.random(COMMITS) < 0.05
        values[hit] += np.abs(random.normal(0.0, 0.15, hit.sum()))
    return values


def series(values):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    points = (
        Point(session=number, started=start + timedelta(days=number), revision="", value=float(value))
        for number, value in enumerate(values)
    )
    return FigureSeries(machine="", workload="", metric="step_time", points=tuple(points))


def rates(kind, seeds):
    levels = np.cumprod([PLANTED.get(place, 1.0) for place in range(COMMITS)])
    alarms = exact = 0
    for seed in range(seeds):
        values = 0.02 * np.exp(noise(kind, np.random.default_rng(seed)))
        alarms += bool(find_changes(series(values)))
        found = [change.index for change in find_changes(series(values * levels))]
        exact += len(found) == 3 and all(min(abs(i - place) for i in found) <= 3 for place in PLANTED)
    return {"series": seeds, "with_a_false_alarm": alarms, "exactly_the_three_planted": exact}


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    found = {kind: rates(kind, seeds) for kind in ("gaussian", "autocorrelated", "outliers")}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
