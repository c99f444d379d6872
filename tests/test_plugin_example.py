"""The example package adds a model by entry point, once it is installed, and `hotloop train` trains it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "examples" / "actor_critic_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as pip installs it, in a folder of its own."""
    source = shutil.copytree(PLUGIN, tmp_path_factory.mktemp("source") / "plugin")
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", target, source], check=True, capture_output=True)
    return target


def call(installed, *arguments):
    path = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True)


def test_the_model_is_listed_without_being_imported(installed):
    code = "import sys; from hotloop import models; print(*models.names()); sys.exit('hotloop_wide_net' in sys.modules)"
    assert "wide_net" in call(installed, "-c", code).stdout.split()


def test_the_model_trains_by_its_name(installed, tmp_path):
    config = str(PLUGIN / "train.toml")
    done = call(installed, "-m", "hotloop.cli.app", "train", config, "--out", tmp_path, "--name", "run", "--json")
    metrics = json.loads(done.stdout)["metrics"]
    assert metrics["status"] == "completed"
    assert (metrics["updates"], metrics["evaluation"]["episodes"]) == (4, 4)
