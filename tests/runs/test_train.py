import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from hotloop.errors import ConfigError, FitFailed
from hotloop.estimators import ResPSANNRegressor
from hotloop.runs import RunRequest, train_from_config
from hotloop.train.rewards import portfolio_metrics
from hotloop.workloads.portfolio import load


def run(path, tmp_path, name="run", **options):
    return train_from_config(RunRequest(config=path, out=tmp_path / "runs", name=name, **options))


def load_checkpoint(folder, which):
    return ResPSANNRegressor.load(folder / "checkpoints" / which)


def test_a_run_leaves_metrics_events_config_and_both_checkpoints(config, tmp_path):
    outcome = run(config(), tmp_path)
    metrics = json.loads((outcome.folder / "metrics.json").read_text())
    assert metrics["status"] == "completed"
    assert metrics["history_length"] == 4
    assert metrics["hisso"]["episodes"] == 4 * 12
    assert metrics["hisso"]["profile"]["updates_per_epoch"] == 3
    assert {"train_loss", "val_loss", "test_loss", "duration_seconds", "start_time", "timestamp"} < set(metrics)
    resolved = yaml.safe_load((outcome.folder / "config_resolved.yaml").read_text())
    assert (resolved["hisso"]["batch_episodes"], resolved["hisso"]["updates_per_epoch"]) == (4, 3)
    assert resolved["estimator"]["params"]["random_state"] == 42
    events = list(csv.DictReader((outcome.folder / "events.csv").read_text().splitlines()))
    assert sum(event["message"].startswith("epoch ") for event in events) == 4
    assert load_checkpoint(outcome.folder, "latest").history_[-1]["epoch"] == 4


def test_the_best_checkpoint_is_the_one_with_the_highest_validation_reward(config, tmp_path):
    """Defect 15: the last one is not the best one. A rate that is too high makes them differ."""
    outcome = run(config(estimator__params__epochs=12, estimator__params__lr=0.1), tmp_path)
    scores = [entry["score"] for entry in outcome.metrics["history"]]
    assert outcome.metrics["hisso"]["best_epoch"] == 1 + int(np.argmax(scores)) < 12
    X_val = load(seed=3)["X_val"]
    best, latest = (load_checkpoint(outcome.folder, name).evaluate_reward(X_val) for name in ("best", "latest"))
    assert best == pytest.approx(max(scores), rel=1e-5)
    assert latest == pytest.approx(scores[-1], rel=1e-5)


def test_portfolio_metrics_are_those_of_the_allocations_and_not_of_the_raw_outputs(config, tmp_path):
    """Defect 15."""
    outcome = run(config(evaluation__trans_cost=0.002), tmp_path)
    data, best = load(seed=3), load_checkpoint(outcome.folder, "best")
    shares = best.infer_series(data["X_test"])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    expected = portfolio_metrics(shares, data["prices_test"], transition_penalty=0.002)
    assert outcome.metrics["portfolio_metrics"] == pytest.approx(expected)


def test_the_seed_of_the_command_line_wins_and_decides_the_weights(config, tmp_path):
    """Defect 15."""
    path = config(estimator__params__random_state=1)
    own, same, other = (run(path, tmp_path, name=str(seed), seed=seed).metrics["history"] for seed in (None, 1, 2))
    assert own == same != other
    assert (
        yaml.safe_load((tmp_path / "runs" / "2" / "config_resolved.yaml").read_text())["estimator"]["params"][
            "random_state"
        ]
        == 2
    )


def test_without_a_validation_part_the_training_series_scores_the_epochs(config, tmp_path):
    outcome = run(config(data__kwargs={"seed": 3, "val": 0.0}), tmp_path)
    best = load_checkpoint(outcome.folder, "best")
    score = best.evaluate_reward(load(seed=3, val=0.0)["X_train"])
    assert score == pytest.approx(outcome.metrics["hisso"]["best_reward"], rel=1e-5)


@pytest.mark.parametrize(("reward", "message"), [("broken", "the market is closed"), ("undefined", "NaN")])
def test_training_that_fails_says_so_in_the_folder(config, tmp_path, reward, message):
    with pytest.raises(FitFailed, match=message):
        run(config(hisso__reward=f"own.py:{reward}", hisso__transition_penalty=0.0), tmp_path)
    metrics = json.loads((tmp_path / "runs" / "run" / "metrics.json").read_text())
    assert metrics["status"] == "failed"
    assert message in metrics["error"]
    assert "ERROR" in (tmp_path / "runs" / "run" / "events.csv").read_text()


def test_a_folder_with_something_in_it_is_not_touched(config, tmp_path):
    path = config()
    run(path, tmp_path)
    with pytest.raises(ConfigError, match="is not empty"):
        run(path, tmp_path)


def test_prices_and_targets_that_are_not_there_are_named(config, tmp_path):
    with pytest.raises(ConfigError, match="needs the targets 'goals'"):
        run(config(hisso__supervised={"y_key": "goals"}), tmp_path)
    with pytest.raises(ConfigError, match="portfolio_prices_key is 'prices_x'"):
        run(config(evaluation__portfolio_prices_key="prices_x"), tmp_path, name="b")


def test_warnings_are_kept_among_the_events(config, tmp_path, capsys):
    outcome = run(config(hisso__reward="negative_energy", hisso__transition_penalty=0.5), tmp_path)
    assert "WARNING" in (outcome.folder / "events.csv").read_text()
    assert "it has no effect" in capsys.readouterr().err


def test_supervised_training_needs_no_episodes(config, tmp_path):
    outcome = run(config(hisso__enabled=False), tmp_path)
    assert outcome.metrics["train_loss"] < 1.0
    assert outcome.metrics["portfolio_metrics"] is None
    with pytest.raises(ConfigError, match="only episodic runs go on"):
        run(config(hisso__enabled=False), tmp_path, resume=outcome.folder)


def command(*arguments, encoding="utf-8"):
    variables = {**os.environ, "PYTHONIOENCODING": encoding, "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", "hotloop.cli.app", "train", *map(str, arguments)]
    return subprocess.run(call, env=variables, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a11_a_name_that_stdout_cannot_show_does_not_end_a_run(config, tmp_path, encoding):
    done = command(config(), "--out", tmp_path, "--name", "Lauf-\u4e2d", "--verbose", encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert b"Lauf-\\u4e2d" in done.stdout or "Lauf-\u4e2d".encode() in done.stdout
    assert (tmp_path / "Lauf-\u4e2d" / "metrics.json").is_file()


def test_exit_codes_tell_a_wrong_config_from_a_failed_run(config, tmp_path):
    failed = command(config(hisso__reward="own.py:broken", hisso__transition_penalty=0.0), "--out", tmp_path)
    assert failed.returncode == 1
    assert b"training failed: RuntimeError: the market is closed" in failed.stderr
    wrong = command(config(hisso__windows=3), "--out", tmp_path)
    assert wrong.returncode == 2
    assert b"hisso.windows: not a key here" in wrong.stderr


@pytest.mark.parametrize("name", ["dense_smoke", "wave_smoke"])
def test_the_templates_run_as_they_are(tmp_path, name):
    from pathlib import Path

    path = Path(__file__).parents[2] / "examples" / "hisso" / f"{name}.yaml"
    outcome = run(path, tmp_path, device="cpu")
    assert outcome.metrics["status"] == "completed"
    assert outcome.metrics["history_length"] == 5
