import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import tomli_w
from safetensors.torch import load_file

from hotloop.errors import ConfigError, FitFailed
from hotloop.runs import RunRequest, train_from_config
from hotloop.runs.ppo_config import PPORunConfig

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "strategy": "ppo",
    "seed": 1,
    "checkpoint_every": 1,
    "environment": {"name": "gymnasium", "id": "CartPole-v1", "num_envs": 2},
    "model": {"name": "mlp", "hidden_units": 8},
    "ppo": {"total_steps": 256, "num_steps": 32, "batch_size": 32, "passes": 2},
    "evaluation": {"episodes": 2, "keep_every": 2},
}
SHOGI = {
    **SMALL,
    "environment": {"name": "shogi", "num_envs": 2, "max_plies": 12},
    "model": {"name": "simple_cnn", "channels": 1},
    "ppo": {"total_steps": 64, "num_steps": 16, "batch_size": 16, "passes": 1},
    "evaluation": {"games": 2, "keep_every": 1, "opponents": 1, "written_games": 1},
}


@pytest.fixture
def write(tmp_path):
    def write_config(base=SMALL, **changes):
        data = {**base, **{key: {**base[key], **value} if isinstance(value, dict) else value
                           for key, value in changes.items()}}  # fmt: skip
        path = tmp_path / "config.toml"
        path.write_text(tomli_w.dumps(data))
        return path

    return write_config


def run(path, tmp_path, name="run", **options):
    return train_from_config(RunRequest(config=path, out=tmp_path, name=name, **options))


def test_a_run_leaves_metrics_a_page_weights_and_checkpoints(write, tmp_path):
    outcome = run(write(), tmp_path)
    metrics = json.loads((outcome.folder / "metrics.json").read_text())
    assert metrics["status"] == "completed"
    assert (metrics["updates"], metrics["steps"], metrics["history_length"]) == (4, 256, 4)
    assert metrics["evaluation"]["episodes"] == 2
    assert metrics["evaluation"]["episode_return"] > 5
    assert {"policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "learning_rate"} < set(
        metrics["history"][-1]
    )
    files = {str(path.relative_to(outcome.folder)) for path in outcome.folder.rglob("*") if path.is_file()}
    assert {
        "report.html",
        "checkpoints/final/model.safetensors",
        "checkpoints/latest/training.safetensors",
        "checkpoints/update-000002/model.safetensors",
    } < files
    assert (outcome.folder / "events.csv").read_text().count("update ") == 4


def test_a_run_of_shogi_leaves_matches_games_and_a_board(write, tmp_path):
    pytest.importorskip("rsshogi")
    outcome = run(write(SHOGI), tmp_path)
    matches = outcome.metrics["evaluation"]["matches"]
    assert [match["opponent"] for match in matches] == ["random", "update 1"]
    assert all(match["wins"] + match["draws"] + match["losses"] == 1.0 for match in matches)
    assert set(outcome.metrics["evaluation"]["elo"]) == {"trained", "random", "update 1"}
    assert {path.name for path in (outcome.folder / "games").glob("*.kif")} == {
        "trained-random-001.kif",
        "trained-update_1-001.kif",
    }
    assert "A game: " in (outcome.folder / "report.html").read_text(encoding="utf-8")


def kill_after(path, out, updates):
    """Run in a process of its own and SIGKILL it once so many updates are told."""
    call = [sys.executable, "-m", "hotloop.cli.app", "train", path, "--out", out, "--name", "killed"]
    process = subprocess.Popen(call, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    events, deadline = out / "killed" / "events.csv", time.monotonic() + 240
    while not events.is_file() or f"update {updates} " not in events.read_text():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return out / "killed"


@pytest.mark.parametrize("base", [SMALL, SHOGI], ids=["cartpole", "shogi"])
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(write, tmp_path, base):
    if base is SHOGI:
        pytest.importorskip("rsshogi")
    path = write(base, ppo={"total_steps": base["ppo"]["total_steps"] * 6})
    whole = run(path, tmp_path, "whole")
    killed = kill_after(path, tmp_path, 3)
    resumed = train_from_config(RunRequest(config=path, resume=killed))
    first, second = (load_file(f / "checkpoints" / "latest" / "training.safetensors") for f in (whole.folder, killed))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert resumed.metrics["history"] == whole.metrics["history"]
    assert resumed.metrics["evaluation"] == whole.metrics["evaluation"]


def test_equal_seeds_give_equal_runs_and_the_command_line_wins(write, tmp_path):
    path = write()
    same, again, other = (run(path, tmp_path, str(n), seed=s).metrics["history"] for n, s in enumerate((None, 1, 2)))
    assert same == again != other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ppo": {"warmup": 3}}, r"ppo\.warmup: not a key here; allowed are total_steps, num_steps, batch_size"),
        ({"ppo": {"passes": 0}}, r"ppo\.passes: got 0: Input should be greater than or equal to 1"),
        ({"ppo": {"passes": "4"}}, r"ppo\.passes: got '4': Input should be a valid integer"),
        ({"ppo": {"opponents": {"rnadom": 1.0}}}, r"rnadom: not a key here"),
        ({"evaluation": {"gmaes": 3}}, r"evaluation\.gmaes: not a key here; allowed are episodes, games"),
        ({"sed": 3}, r"sed: not a key here; allowed are strategy, environment, model, ppo"),
        ({"strategy": "dqn"}, r"strategy: got 'dqn'; allowed are 'ppo', 'panel' and 'growth', or leave it out"),
        ({"device": "tpu9"}, r"device: got 'tpu9'"),
        ({"model": {"name": "resent"}}, r"\[model\]: no model is named 'resent'; known are: mlp, recurrent, resnet"),
        ({"model": {"hidden": 3}}, r"\[model\]: model 'mlp' cannot be built:\n  hidden: not an option; allowed are"),
        ({"model": {"hidden_units": 0}}, r"hidden_units: got 0; allowed is an integer of at least 1"),
        ({"environment": {"name": "go"}}, r"\[environment\]: no environment is named 'go'; known are: growth"),
        ({"environment": {"num_envs": "many"}}, r"num_envs: got 'many'; allowed is an integer of at least 1"),
        ({"environment": {"id": "Nothing-v1"}}, r"gymnasium makes no 'Nothing-v1'"),
    ],
)
def test_what_is_wrong_is_named_before_a_folder_is_made(write, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(write(**changes), tmp_path)
    assert not (tmp_path / "run").exists()


def test_games_against_opponents_are_learned_from_and_told_with_an_interval(write, tmp_path):
    pytest.importorskip("rsshogi")
    opponents = {"random": 0.5, "earlier": 0.5, "every": 1, "kept": 1}
    path = write(SHOGI, environment={"material_reward": 5.0}, ppo={"opponents": opponents})
    metrics = run(path, tmp_path).metrics
    for match in metrics["evaluation"]["matches"]:
        assert 0.0 <= match["wins_low"] <= match["wins"] <= match["wins_high"] <= 1.0
        assert match["wins"] + match["draws"] + match["losses"] == 1.0  # results, without what material adds
    assert all(item["grad_norm"] > 0.0 for item in metrics["history"])


def test_the_configs_of_shogi_that_come_along_are_sound():
    for file in sorted((CONFIGS / "shogi").glob("*.toml")):
        assert PPORunConfig.model_validate(tomllib.loads(file.read_text())).environment.name == "shogi"


def test_zero_is_a_value_and_not_a_default(write, tmp_path):
    """Defect 9."""
    outcome = run(write(ppo={"entropy_coef": 0.0}, evaluation={"episodes": 0}, checkpoint_every=0), tmp_path)
    assert outcome.metrics["evaluation"] == {}
    assert not (outcome.folder / "checkpoints" / "latest").exists()


def test_an_environment_that_cannot_be_kept_fails_and_says_what_to_do(write, tmp_path, monkeypatch):
    monkeypatch.setattr("gymnasium.envs.classic_control.cartpole.CartPoleEnv.__module__", "elsewhere")
    with pytest.raises(FitFailed, match="train without checkpoints"):
        run(write(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("cartpole", 475.0), ("pendulum", -300.0)])
def test_the_configs_that_ship_solve_their_tasks(tmp_path, name, least):
    """CartPole takes about half a minute of one core, Pendulum a few."""
    outcome = run(CONFIGS / "ppo" / f"{name}.toml", tmp_path)
    assert outcome.metrics["evaluation"]["episode_return"] >= least


@pytest.mark.slow
def test_the_smoke_run_of_shogi_leaves_games_and_a_page(tmp_path):
    pytest.importorskip("rsshogi")
    outcome = run(CONFIGS / "shogi" / "smoke.toml", tmp_path)
    assert len(list((outcome.folder / "games").glob("*.kif"))) == 4
    assert (outcome.folder / "report.html").stat().st_size > 10_000


def test_the_folder_that_was_named_is_the_runs_own(tmp_path, write):
    finished = train_from_config(RunRequest(config=write(), out=tmp_path / "mine"))
    assert finished.folder == tmp_path / "mine"
    assert (tmp_path / "mine" / "metrics.json").is_file()
