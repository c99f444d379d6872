import json
import subprocess
import sys

import pytest
import tomli_w

from hotloop.errors import ConfigError
from hotloop.runs import RunRequest, train_from_config

CONFIG = {
    "strategy": "panel",
    "checkpoint_every": 2,
    "data": {
        "synthetic": {
            "codes": 20,
            "days": 160,
            "features": 8,
            "horizons": [1, 5],
            "signal": 0.3,
            "missing": 0.0,
            "delisted": 0.0,
        }
    },
    "windows": {"length": 10, "days_per_batch": 8},
    "network": {"hidden": 16, "neighbors": 3, "dropout": 0.0, "edge_dropout": 0.0},
    "training": {"epochs": 3, "lr": 3e-3, "clip_norm": 1.0, "optimizer": "sgd"},
}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hotloop"]


def trained(tmp_path, name, *, more=(), on_two=True, **windows):
    """The metrics of a run of two ranks, or of one process."""
    file, out = tmp_path / f"{name}.toml", tmp_path / name
    file.write_text(tomli_w.dumps({**CONFIG, "windows": {**CONFIG["windows"], **windows}}))
    call = [*(TORCHRUN if on_two else [*TORCHRUN[:1], "-m", "hotloop"]), "train", str(file), *more]
    done = subprocess.run(call if more else [*call, "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained in") == 1
    return json.loads((out / "metrics.json").read_text())


def losses(metrics):
    return [value for epoch in metrics["history"] for value in (epoch["loss"], epoch["validation"])]


@pytest.mark.slow
def test_two_ranks_train_as_one_process_does_on_the_batches_of_both(tmp_path):
    one = trained(tmp_path, "one", on_two=False)
    two = trained(tmp_path, "two", days_per_batch=4)
    both = trained(tmp_path, "both", days_per_batch=2, microbatches=2)
    assert (one["ranks"], two["ranks"]) == (1, 2)
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    assert losses(both) == pytest.approx(losses(one), rel=1e-3)
    assert two["ic"]["1"] == pytest.approx(one["ic"]["1"], abs=1e-3)


@pytest.mark.slow
def test_two_ranks_go_on_where_they_were_cut_off(tmp_path):
    first = trained(tmp_path, "two", days_per_batch=4)
    again = trained(tmp_path, "two", days_per_batch=4, more=("--resume", str(tmp_path / "two")))
    assert losses(again) == losses(first)
    assert again["ic"] == first["ic"]


def test_several_ranks_are_refused_where_one_process_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    file = tmp_path / "growth.toml"
    file.write_text('strategy = "growth"\n')
    with pytest.raises(ConfigError, match="only strategy = 'panel' and 'ppo' train on several"):
        train_from_config(RunRequest(config=file))
