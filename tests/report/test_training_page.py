import math

from hotloop.report.training_page import plot_curve, training_page

HISTORY = [
    {"update": n, "steps": 10 * n, "loss": 1.0 / n, "entropy": 2.0 - 0.1 * n, "value_loss": 1.0 / n, "draws": None}
    for n in range(1, 6)
]
METRICS = {
    "updates": 5,
    "steps": 50,
    "train_seconds": 1.5,
    "phases": {"rollout": 0.5},
    "history": HISTORY,
    "evaluation": {},
}
MATCH = {
    "opponent": "random <b>",
    "games": 4,
    "wins": 0.5,
    "draws": 0.25,
    "losses": 0.25,
    "score_first": 0.75,
    "score_second": 0.5,
}
POSITIONS = [
    {"move": "", "sfen": "4k4/9/9/9/9/9/9/9/4K4 b - 1"},
    {"move": "5i5h", "sfen": "4k4/9/9/9/9/9/9/4K4/9 w - 2"},
]


def test_curves_are_drawn_for_what_was_measured_alone():
    page = training_page({"title": "CartPole-v1 with mlp", "metrics": METRICS, "replay": None})
    assert page.count('class="curve"') == 2
    assert "entropy: 1.5" in page
    assert "<script" not in page
    assert "Matches" not in page


def test_matches_and_a_game_are_shown_and_names_are_escaped():
    evaluation = {"matches": [MATCH], "elo": {"trained": 1510.0, "random <b>": 1490.0}}
    replay = {"first": "trained", "second": "random <b>", "positions": POSITIONS}
    page = training_page({"title": "t", "metrics": {**METRICS, "evaluation": evaluation}, "replay": replay})
    assert "50.0 %" in page
    assert "random &lt;b&gt;" in page
    assert "random <b>" not in page
    assert page.count("<figcaption>") == 2
    assert "1. 5i5h" in page


def test_a_curve_goes_from_the_first_update_to_the_last_and_leaves_nan_out():
    plot = plot_curve([{"update": 1, "x": 0.0}, {"update": 2, "x": math.nan}, {"update": 3, "x": 1.0}], "x", "x")
    assert plot.path.count("L") == 1
    assert plot.path.startswith("M0.0 ")
    assert plot.path.split("L")[1].startswith("1000.0 ")
    assert plot.last == "1"
    assert plot_curve([{"update": 1, "x": math.nan}], "x", "x") is None
