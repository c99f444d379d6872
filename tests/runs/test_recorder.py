import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from hotloop.errors import ConfigError, FitFailed
from hotloop.runs import RunRequest, train_from_config
from hotloop.runs.folder import RunFolder

EPOCHS = 25


def epochs_done(folder):
    path = folder / "checkpoints" / "latest" / "training.safetensors"
    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as archive:
        return len(json.loads(archive.metadata()["training"])["epochs"])


def kill_after(path, out, epochs):
    """Run in a process of its own and SIGKILL it once so many epochs are on the disk."""
    call = [sys.executable, "-m", "hotloop.cli.app", "train", path, "--out", out, "--name", "killed"]
    process = subprocess.Popen(call, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while epochs_done(out / "killed") < epochs:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return out / "killed"


def test_a_run_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not(config, tmp_path):
    path = config(
        hisso__reward="own.py:slow",
        hisso__input_noise=0.01,
        hisso__supervised={"epochs": 2},
        estimator__params__epochs=EPOCHS,
        estimator__params__drop_path_max=0.3,
        estimator__params__random_state=7,
        estimator__params__device="cpu",
    )
    whole = train_from_config(RunRequest(config=path, out=tmp_path, name="whole"))
    killed = kill_after(path, tmp_path, 5)
    assert 5 <= epochs_done(killed) < EPOCHS
    resumed = train_from_config(RunRequest(config=path, resume=killed))
    first, second = (load_file(f / "checkpoints" / "latest" / "training.safetensors") for f in (whole.folder, killed))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert resumed.metrics["history"] == whole.metrics["history"]
    assert resumed.metrics["hisso"]["best_epoch"] == whole.metrics["hisso"]["best_epoch"]
    assert resumed.metrics["portfolio_metrics"] == whole.metrics["portfolio_metrics"]


def test_a_finished_run_resumed_trains_no_further(config, tmp_path):
    path = config()
    done = train_from_config(RunRequest(config=path, out=tmp_path, name="run"))
    again = train_from_config(RunRequest(config=path, resume=done.folder))
    assert again.metrics["history"] == done.metrics["history"]


def test_a_run_goes_on_with_its_own_config_only(config, tmp_path):
    done = train_from_config(RunRequest(config=config(), out=tmp_path, name="run"))
    with pytest.raises(ConfigError, match=r"differs from that of .* at hisso\.window"):
        train_from_config(RunRequest(config=config(hisso__window=8), resume=done.folder))
    with pytest.raises(ConfigError, match=r"at estimator\.params\.random_state"):
        train_from_config(RunRequest(config=config(), resume=done.folder, seed=3))


def test_a_folder_that_is_no_run_or_has_no_checkpoint_is_named(config, tmp_path):
    with pytest.raises(ConfigError, match=r"has no config_resolved\.yaml"):
        train_from_config(RunRequest(config=config(), resume=tmp_path))
    done = train_from_config(RunRequest(config=config(), out=tmp_path, name="run"))
    (done.folder / "checkpoints" / "latest" / "training.safetensors").unlink()
    with pytest.raises(ConfigError, match="cut off before its first checkpoint"):
        train_from_config(RunRequest(config=config(), resume=done.folder))


def test_a_checkpoint_of_other_weights_is_refused(config, tmp_path):
    first = train_from_config(RunRequest(config=config(), out=tmp_path, name="a"))
    wide = config(estimator__params__hidden_units=16)
    second = train_from_config(RunRequest(config=wide, out=tmp_path, name="b"))
    state = "checkpoints/latest/training.safetensors"
    (second.folder / state).write_bytes((first.folder / state).read_bytes())
    with pytest.raises(FitFailed, match="does not fit this run"):
        train_from_config(RunRequest(config=wide, resume=second.folder))


def test_metrics_are_whole_or_not_there(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_metrics({"loss": float("nan"), "items": (1, 2)})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"loss": None, "items": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
