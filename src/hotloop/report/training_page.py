"""The page of a run of PPO: curves over its updates, what the result is worth, and one game to leaf through."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotloop.report.axis import Axis, Tick, even_ticks
from hotloop.report.board import board_view
from hotloop.report.html import render
from hotloop.report.wording import duration

BOX = 1000.0
_MARGIN = 0.06
_MOST_POINTS = 1000
# What is drawn, in this order, each with what a reader wants to know of it.
_CURVES = {
    "episode_return": "mean return of the last episodes",
    "first_side_wins": "share of the last games that the first side won",
    "draws": "share of the last games that nobody won",
    "episode_length": "steps of the last episodes",
    "entropy": "entropy of the policy, in nats",
    "value_loss": "squared error of the values",
    "policy_loss": "clipped loss of the policy",
    "approx_kl": "divergence from the policy of the rollout",
    "clip_fraction": "share of samples whose ratio was clipped",
    "learning_rate": "learning rate",
}

_PHASES = {"reward": "forward and loss", "rollout": "rest of the rollout"}


@dataclass(frozen=True, kw_only=True)
class CurvePlot:
    """What the template draws: a path in a box of 1000 by 1000, ticks in percent, the last value in words."""

    name: str
    meaning: str
    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    last: str


def training_page(document: Mapping[str, Any]) -> str:
    """The whole page as HTML, from {"title", "metrics" (as in metrics.json), "replay" (or None)}."""
    metrics, replay = document["metrics"], document["replay"]
    history, phases = metrics["history"], metrics["phases"]
    curves = [plot_curve(history, name, meaning) for name, meaning in _CURVES.items()]
    boards = [board_view(shown, index) for index, shown in enumerate(replay["positions"])] if replay else []
    context = {
        "title": document["title"],
        "metrics": metrics,
        "curves": [curve for curve in curves if curve is not None],
        "phases": [
            (_PHASES.get(name, name), f"{duration(seconds)} ({seconds / max(sum(phases.values()), 1e-9):.0%})")
            for name, seconds in phases.items()
        ],
        "matches": metrics["evaluation"].get("matches", []),
        "elo": metrics["evaluation"].get("elo", {}),
        "returns": metrics["evaluation"] if "episode_return" in metrics["evaluation"] else None,
        "replay": replay,
        "boards": boards,
        "duration": duration,
    }
    return render("training.html", context)


def plot_curve(history: Sequence[Mapping[str, Any]], name: str, meaning: str) -> CurvePlot | None:
    """The curve of one metric over the updates; None where no update has a finite value of it."""
    given = [(int(entry["update"]), entry.get(name)) for entry in history]
    points = [(update, value) for update, value in given if value is not None and math.isfinite(value)]
    if not points:
        return None
    last = points[-1][1]
    points = points[:: -(-len(points) // _MOST_POINTS)]
    values = [value for _, value in points]
    low, high = min(values), max(values)
    margin = _MARGIN * ((high - low) or abs(high) or 1.0)
    x, y = Axis(low=1.0, high=float(max(2, len(history)))), Axis(low=low - margin, high=high + margin)
    places = [f"{x.at(update) * BOX / 100:.1f} {BOX - y.at(value) * BOX / 100:.1f}" for update, value in points]
    return CurvePlot(
        name=name,
        meaning=meaning,
        path="M" + "L".join(places) + ("h0" if len(places) == 1 else ""),
        x_ticks=even_ticks(x, least_step=1.0),
        y_ticks=even_ticks(y, most=4),
        last=f"{last:.4g}",
    )
