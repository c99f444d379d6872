import json
from pathlib import Path

import pytest
import tomli_w
from safetensors.torch import load_file

from hotloop.errors import ConfigError
from hotloop.runs import RunRequest, train_from_config

CONFIGS = Path(__file__).parents[2] / "configs" / "growth"
SMALL = {
    "strategy": "growth",
    "task": "digits",
    "seed": 1,
    "growth": {
        "epochs": 8,
        "slots": [0],
        "max_batches": 3,
        "lr": 0.05,
        "gates": {"improvement": -100.0, "training_epochs": 1, "gradient_ratio": 0.0, "blending_epochs": 1},
        "clock": {"training_share": 0.0, "blending_epochs": 2},
        "plateau": {"stable_epochs": 1, "stable_share": 0.9, "stable_slack": 0.9, "plateau_gain": 100.0},
    },
    "heuristic": {"first_epoch": 1, "plateau_epochs": 1, "blueprints": ["conv_light"]},
}


@pytest.fixture
def write(tmp_path):
    def write_config(**changes):
        path = tmp_path / "config.toml"
        path.write_text(tomli_w.dumps({**SMALL, **changes}))
        return path

    return write_config


def events_of(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_run_leaves_events_metrics_weights_and_a_checkpoint(write, tmp_path):
    outcome = train_from_config(RunRequest(config=write(), out=tmp_path / "run"))
    assert outcome.folder == tmp_path / "run"
    events = events_of(outcome.folder)
    assert [event["number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("run_started", "run_ended")
    changed = [event for event in events if event["type"] == "slot_stage_changed"]
    assert {"slot", "stage_from", "stage_to", "epoch", "blueprint", "reason"} <= set(changed[0])
    assert [event["stage_to"] for event in changed][:3] == ["germinated", "training", "blending"]
    metrics = json.loads((outcome.folder / "metrics.json").read_text())
    assert (metrics["status"], metrics["epochs"], metrics["history_length"]) == ("completed", 8, 8)
    assert events[-1]["num_parameters"] == metrics["evaluation"]["parameters"]
    assert max(entry["parameters"] for entry in metrics["history"]) > metrics["evaluation"]["host_parameters"]
    assert 0.0 < metrics["evaluation"]["test_accuracy"] <= 100.0
    assert (outcome.folder / "checkpoints" / "final" / "model.safetensors").is_file()


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bits_and_events(write, tmp_path, monkeypatch, epoch):
    from hotloop.workloads.growth.growth_training import GrowthTraining

    trained = GrowthTraining.epoch

    def stops(self):
        if self.epochs_done == epoch + 1:
            raise KeyboardInterrupt
        return trained(self)

    # The checkpoint is one epoch older than the last events, as after a kill.
    path = write(checkpoint_every=epoch)
    whole = train_from_config(RunRequest(config=path, out=tmp_path / "whole"))
    monkeypatch.setattr(GrowthTraining, "epoch", stops)
    with pytest.raises(KeyboardInterrupt):
        train_from_config(RunRequest(config=path, out=tmp_path / "cut"))
    monkeypatch.undo()
    resumed = train_from_config(RunRequest(config=path, resume=tmp_path / "cut"))
    assert resumed.metrics["history"] == whole.metrics["history"]
    assert resumed.metrics["evaluation"] == whole.metrics["evaluation"]
    first, second = (
        load_file(f / "checkpoints" / "final" / "model.safetensors") for f in (whole.folder, resumed.folder)
    )
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert events_of(resumed.folder) == events_of(whole.folder)


def test_a_compiled_run_says_what_it_compiled_and_what_ran_eagerly(write, tmp_path):
    changed = write(growth={**SMALL["growth"], "compile": "eager"})
    outcome = train_from_config(RunRequest(config=changed, out=tmp_path / "run"))
    plain = train_from_config(RunRequest(config=write(), out=tmp_path / "plain"))
    found = outcome.metrics["compile"]
    # Absent, beside, detached, joined: each in training and in validation, in whole batches and in the last one.
    assert (found["architectures"], found["eager_calls"], found["failures"]) == (8, 0, {})
    assert 8 <= found["graphs"] <= 16
    assert found["most_graphs"] <= 2
    assert plain.metrics["compile"] is None
    assert outcome.metrics["history"] == plain.metrics["history"]


def test_without_a_controller_nothing_grows(write, tmp_path):
    changed = write(controller="none", growth={**SMALL["growth"], "epochs": 2, "governor": False})
    outcome = train_from_config(RunRequest(config=changed, out=tmp_path / "run"))
    evaluation = outcome.metrics["evaluation"]
    assert evaluation["parameters"] == evaluation["host_parameters"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "mnist"}, "got the task 'mnist'; there are digits, english"),
        ({"growth": {"slots": [0, 7]}}, r"got the slots \[0, 7\]; allowed are different blocks of the host, 0 to 2"),
        ({"growth": {"max_batches": 0}}, "max_batches"),
        ({"growth": {"gates": {"alpha": 2.0}}}, "alpha"),
        ({"heuristic": {"blueprints": ["mlp"]}}, "got the blueprints mlp"),
        ({"device": "cuda:x"}, "device: got 'cuda:x'; allowed devices are"),
        ({"speed": 1}, "speed: not a key here"),
    ],
)
def test_a_config_that_cannot_be_run_is_refused_before_a_folder_is_made(write, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train_from_config(RunRequest(config=write(**changes), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_controller_is_trained_by_ppo_with_events_of_all_networks(tmp_path):
    text = (CONFIGS / "ppo.toml").read_text()
    for before, after in (
        ("total_steps = 720", "total_steps = 24"),
        ("num_steps = 15", "num_steps = 6"),
        ("epochs = 16", "epochs = 7"),
        ("num_envs = 4", "num_envs = 2"),
        ("max_batches = 4", "max_batches = 1"),
        ("batch_size = 60", "batch_size = 12"),
        ("episodes = 4", "episodes = 1"),
    ):
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "ppo.toml").write_text(text)
    outcome = train_from_config(RunRequest(config=tmp_path / "ppo.toml", out=tmp_path / "run"))
    events = events_of(outcome.folder)
    assert {event["environment"] for event in events} == {0, 1}
    assert {"epoch_ended", "slot_stage_changed", "controller_decided"} <= {event["type"] for event in events}
    assert (outcome.metrics["updates"], outcome.metrics["evaluation"]["episodes"]) == (2, 1)


@pytest.mark.slow
def test_the_config_that_ships_keeps_one_seed_and_takes_another_out(tmp_path):
    outcome = train_from_config(RunRequest(config=CONFIGS / "heuristic.toml", out=tmp_path / "run"))
    moves = [
        (event["stage_from"], event["stage_to"])
        for event in events_of(outcome.folder)
        if event["type"] == "slot_stage_changed"
    ]
    assert ("holding", "fossilized") in moves
    assert {("pruned", "embargoed"), ("embargoed", "resetting"), ("resetting", "dormant")} <= set(moves)
