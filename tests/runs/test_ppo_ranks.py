import json
import os
import subprocess
import sys

import pytest
import tomli_w
from safetensors.torch import load_file

from hotloop.errors import ConfigError
from hotloop.runs.ppo_config import PPORunConfig
from hotloop.runs.ppo_parts import environment_of_rank
from hotloop.train.ranks import Ranks

CONFIG = {
    "strategy": "ppo",
    "seed": 1,
    "checkpoint_every": 2,
    "environment": {"name": "gymnasium", "id": "CartPole-v1", "num_envs": 4},
    "model": {"name": "mlp", "hidden_units": 8},
    "ppo": {"total_steps": 1024, "num_steps": 64, "batch_size": 64, "passes": 2},
    "evaluation": {"episodes": 2, "keep_every": 2},
}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hotloop"]


def called(config, tmp_path, *words):
    file = tmp_path / "config.toml"
    file.write_text(tomli_w.dumps(config))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, "train", str(file), *words], env=environment, capture_output=True, text=True, check=False
    )


def trained(tmp_path, out, *words):
    done = called(CONFIG, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained in") == 1
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.slow
def test_two_ranks_go_on_to_the_same_bits_and_one_of_them_writes(tmp_path):
    out = tmp_path / "two"
    first = trained(tmp_path, out, "--out", str(out))
    assert (first["ranks"], first["updates"], first["steps"]) == (2, 4, 1024)
    assert first["evaluation"]["episodes"] == 2
    assert (out / "events.csv").read_text().count("update ") == 4
    latest = out / "checkpoints" / "latest" / "training.safetensors"
    whole = load_file(out / "checkpoints" / "final" / "model.safetensors")
    assert "batches.1" in load_file(latest)
    # A run of half as many updates, resumed with the config of all of them, is the run that was cut off.
    half = tmp_path / "half"
    done = called({**CONFIG, "ppo": {**CONFIG["ppo"], "total_steps": 512}}, tmp_path, "--out", str(half))
    assert done.returncode == 0, done.stderr
    settings = (half / "config_resolved.yaml").read_text()
    (half / "config_resolved.yaml").write_text(settings.replace("total_steps: 512", "total_steps: 1024"))
    again = trained(tmp_path, half, "--resume", str(half))
    assert again["history"] == first["history"]
    rest = load_file(half / "checkpoints" / "final" / "model.safetensors")
    assert all(rest[name].equal(whole[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("environment", "num_envs", 3, "got num_envs = 3 for 2 ranks, which share them: give a multiple of 2"),
        ("ppo", "batch_size", 65, "got batch_size=65 for 2 ranks"),
        ("ppo", "compile", "step", "got compile='step' for 2 ranks"),
    ],
)
def test_what_ranks_cannot_divide_is_named_before_a_folder_is_made(tmp_path, section, key, value, message):
    config = {**CONFIG, section: {**CONFIG[section], key: value}}
    done = called(config, tmp_path, "--out", str(tmp_path / "out"))
    assert done.returncode != 0
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_environments_are_divided_and_each_keeps_the_seed_it_has_in_one_process():
    config = PPORunConfig.model_validate(CONFIG)
    whole, *halves = (
        environment_of_rank(config, Ranks(rank=rank, size=size)) for rank, size in ((0, 1), (0, 2), (1, 2))
    )
    assert [half.num_envs for half in halves] == [2, 2]
    assert whole.reset()[0].tolist() == [row for half in halves for row in half.reset()[0].tolist()]


def test_environments_that_do_not_divide_are_refused():
    config = PPORunConfig.model_validate(CONFIG)
    with pytest.raises(ConfigError, match="got num_envs = 4 for 3 ranks, which share them: give a multiple of 3"):
        environment_of_rank(config, Ranks(rank=0, size=3))
