import json
import tomllib
from pathlib import Path

import pytest
import tomli_w
from safetensors import safe_open

from hotloop.errors import ConfigError, FitFailed
from hotloop.runs import RunRequest, train_from_config

CONFIGS = Path(__file__).parents[2] / "configs" / "panel"
SMALL = {
    "strategy": "panel",
    "data": {"synthetic": {"codes": 20, "days": 160, "features": 8, "horizons": [1, 5], "signal": 0.3}},
    "windows": {"length": 10, "days_per_batch": 8},
    "network": {"hidden": 16, "neighbors": 3},
    "training": {"epochs": 2, "lr": 3e-3, "clip_norm": 1.0},
}


@pytest.fixture
def run(tmp_path):
    """Trains from a config that differs from the small one in some sections."""

    def train(name="run", seed=None, base=SMALL, resume=None, top=None, **changes):
        config = {**base, **{key: {**base.get(key, {}), **value} for key, value in changes.items()}, **(top or {})}
        file = tmp_path / f"{name}.toml"
        file.write_text(tomli_w.dumps(config))
        return train_from_config(RunRequest(config=file, out=tmp_path / "runs", name=name, seed=seed, resume=resume))

    return train


def test_a_run_leaves_its_metrics_by_horizon_and_its_weights(run):
    folder = run().folder
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["status"] == "completed"
    for name in ("ic", "rank_ic", "ic_low", "ic_high", "sharpe", "hit_rate", "coverage"):
        assert set(metrics[name]) == {"1", "5"}
    assert metrics["ic_low"]["1"] < metrics["ic"]["1"] < metrics["ic_high"]["1"]
    assert metrics["history_length"] == 2
    assert set(metrics["panel"]["windows"]) == {"train", "validation", "test"}
    with safe_open(folder / "checkpoints" / "final" / "model.safetensors", framework="pt") as weights:
        assert "normalization.rolling.mixing" in weights.keys()  # noqa: SIM118


def test_equal_seeds_give_equal_runs_and_other_seeds_others(run):
    first, again, other = run("a"), run("b"), run("c", seed=5)
    assert first.metrics["ic"] == again.metrics["ic"] != other.metrics["ic"]


def test_every_part_can_be_switched_on(run):
    found = run(
        data={"dtype": "bfloat16", "shuffle_targets": True},
        network={"experts": 2, "has_student": True, "has_direction": True},
        loss={"student_t": 0.1, "direction": 0.1, "soft_rank": 0.1, "listnet": 0.1, "exposure": 0.1, "turnover": 0.1},
        training={"epochs": 1, "amp": "bfloat16"},
    )
    assert found.metrics["status"] == "completed"


@pytest.mark.parametrize("averaging", [{"kind": "ema", "decay": 0.9}, {"kind": "swa", "first_epoch": 1}])
def test_averaged_weights_are_what_is_scored(run, averaging):
    assert run("plain").metrics["ic"] != run("averaged", averaging=averaging).metrics["ic"]


def losses(found):
    return [value for epoch in found.metrics["history"] for value in (epoch["loss"], epoch["validation"])]


def test_gradients_of_several_microbatches_are_those_of_all_their_days(run):
    """Days of one size, since a loss by day is averaged with the number of samples as weights."""
    whole = {"synthetic": {**SMALL["data"]["synthetic"], "missing": 0.0, "delisted": 0.0}}
    changes = {"network": {"dropout": 0.0, "edge_dropout": 0.0}, "training": {"optimizer": "sgd"}}
    together = run("together", data=whole, **changes)
    apart = run("apart", data=whole, windows={"days_per_batch": 4, "microbatches": 2}, **changes)
    other = run("other", data=whole, windows={"days_per_batch": 4}, **changes)
    assert losses(apart) == pytest.approx(losses(together), rel=1e-3)
    assert losses(other) != pytest.approx(losses(together), rel=1e-3)


@pytest.mark.parametrize("averaging", [None, {"kind": "ema", "decay": 0.9}, {"kind": "swa", "first_epoch": 2}])
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(run, averaging):
    """Its last checkpoint is of two epochs of three: the third one is trained again, to the same bits."""
    top = {"checkpoint_every": 2} | ({} if averaging is None else {"averaging": averaging})
    changes = {
        "top": top,
        "network": {"dropout": 0.3},
        "loss": {"turnover": 0.1},
        "windows": {"samples_per_day": 10},
        "training": {"epochs": 3, "patience": 3, "lr_end": 1e-4},
    }
    first = run("whole", **changes)
    weights = (first.folder / "checkpoints" / "final" / "model.safetensors").read_bytes()
    again = run("whole", resume=first.folder, **changes)
    assert (first.folder / "checkpoints" / "final" / "model.safetensors").read_bytes() == weights
    assert losses(again) == losses(first)
    assert again.metrics["history_length"] == 3
    assert again.metrics["ic"] == first.metrics["ic"]


def test_a_run_without_a_checkpoint_cannot_go_on(run):
    first = run(top={"checkpoint_every": 0})
    with pytest.raises(ConfigError, match="cut off before its first checkpoint"):
        run(top={"checkpoint_every": 0}, resume=first.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"sp500": True}}, "exactly one of parquet"),
        ({"network": {"horizons": 3}}, "network.horizons follows from the target columns"),
        ({"windows": {"size": 3}}, "windows.size: not a key here; allowed are length"),
        ({"training": {"epochs": 0}}, "training"),
        ({"horizon_weights": {"1": 1.0}}, r"horizon_weights lacks \[5\]"),
    ],
)
def test_configs_that_cannot_be_run_are_refused(run, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(**changes)


def test_a_panel_that_is_too_short_fails_with_its_reason(run):
    with pytest.raises(FitFailed, match="every part needs a day that is left"):
        run(data={"synthetic": {"codes": 5, "days": 12, "features": 8}})


def test_targets_must_say_how_far_ahead_they_are(run, tmp_path):
    import polars as pl

    from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

    file = write_synthetic_panel(tmp_path / "panel.parquet", SyntheticPanel(codes=5, days=60, features=8))
    pl.read_parquet(file).rename({"target_1d": "target_soon"}).write_parquet(file)
    base = {**SMALL, "data": {"parquet": str(file)}}
    with pytest.raises(ConfigError, match="each is named target_<days>d"):
        run(base=base)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.stem)
def test_the_configs_that_come_along_are_sound(file):
    from hotloop.runs.panel_config import PanelRunConfig

    assert PanelRunConfig.model_validate(tomllib.loads(file.read_text())).strategy == "panel"


def smoke(seed):
    config = tomllib.loads((CONFIGS / "smoke.toml").read_text())
    config["data"]["synthetic"]["seed"] = seed
    return config


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_signal_is_found(run, seed):
    assert run(seed=seed, base=smoke(seed)).metrics["ic_low"]["1"] > 0.0


@pytest.mark.slow
def test_nothing_is_found_in_shuffled_data(run):
    """Each of five intervals may miss 0 in one of twenty runs; two that do are no accident."""
    found = [
        run(f"shuffled-{seed}", seed=seed, base=smoke(seed), data={"shuffle_targets": True}).metrics
        for seed in range(5)
    ]
    above = sum(metrics["ic_low"]["1"] > 0.0 for metrics in found)
    below = sum(metrics["ic_high"]["1"] < 0.0 for metrics in found)
    assert above <= 1
    assert above + below <= 2
