"""Programs of several ranks on the command line."""

import pytest
from typer.testing import CliRunner

from hotloop.cli.app import app
from hotloop.cli.ranks import read_workload
from hotloop.errors import MeasurementError, WorkloadError


@pytest.fixture(autouse=True)
def train_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("")


def read(target, *arguments, num_ranks=1):
    return read_workload(target, arguments, is_module=False, num_ranks=num_ranks)


@pytest.mark.parametrize(
    "option", [("--nproc-per-node", "2"), ("--nproc_per_node=2",), ("--standalone", "--nproc-per-node=2")]
)
def test_the_call_of_torchrun_and_the_option_are_the_same(option):
    found = read("torchrun", *option, "train.py", "--epochs", "3")
    assert found == read("train.py", "--epochs", "3", num_ranks=2)
    assert found.title == "torchrun --nproc-per-node 2 train.py --epochs 3"


def test_one_rank_is_a_plain_script():
    assert read("torchrun", "--nproc-per-node", "1", "train.py") == read("train.py")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--nproc-per-node", "2"), "give torchrun --nproc-per-node N train.py"),
        (("train.py",), "give torchrun --nproc-per-node N train.py"),
        (("--nproc-per-node", "gpu", "train.py"), "give torchrun --nproc-per-node N train.py"),
        (("--nnodes", "2", "train.py"), "torchrun --nnodes: hotloop starts all ranks on this machine"),
    ],
)
def test_what_cannot_be_repeated_says_what_is_understood(arguments, words):
    with pytest.raises(WorkloadError, match=words):
        read("torchrun", *arguments)


def test_a_recipe_has_one_rank():
    with pytest.raises(WorkloadError, match="which has one rank, got 2"):
        read("train.py:build", num_ranks=2)


def test_diagnose_refuses_several_ranks_and_names_what_tells_the_slowest(monkeypatch):
    monkeypatch.setattr("sys.argv", ["hotloop", "diagnose"])
    found = CliRunner().invoke(app, ["diagnose", "torchrun", "--", "--nproc-per-node", "2", "train.py"])
    assert isinstance(found.exception, MeasurementError)
    assert "give it one rank; which of several is the slowest" in str(found.exception)
