import dataclasses
from pathlib import Path

import pytest

from hotloop.report.commands import next_command, run_command
from hotloop.verdict import Outcome


@pytest.mark.parametrize(
    ("workload", "command", "said"),
    [
        ("train.py", "hotloop tune train.py", "hotloop run train.py --plan plan.toml"),
        ("a b.py --x 1", "hotloop tune 'a b.py' -- --x 1", "hotloop run 'a b.py' --plan plan.toml -- --x 1"),
        ("t.py --n a b", "hotloop tune t.py -- --n 'a b'", "hotloop run t.py --plan plan.toml -- --n 'a b'"),
        ("t.py --seed 1", "prove(...)", "hotloop run t.py --plan plan.toml -- --seed 1"),
        ("m.py:build (seed 3)", "hotloop tune m.py:build", "hotloop run m.py:build --plan plan.toml"),
        (
            "torchrun --nproc-per-node 2 t.py --x 1",
            "hotloop tune -- torchrun --nproc-per-node 2 t.py --x 1",
            "torchrun --nproc-per-node 2 --no-python hotloop run t.py --plan plan.toml -- --x 1",
        ),
        ("digits (seed 0)", "hotloop tune digits", "hotloop run digits --plan plan.toml"),
    ],
)
def test_the_run_command_is_what_a_shell_needs(proven, workload, command, said):
    assert run_command(dataclasses.replace(proven, workload=workload, command=command)) == said


def test_a_proven_plan_is_to_be_run_from_where_it_was_written(proven):
    said = next_command(proven, Path("my out/plan.toml"))
    assert said == "hotloop run examples/digits_cnn.py --plan 'my out/plan.toml' -- --epochs 3"


def test_a_plan_that_could_not_be_told_is_to_be_measured_for_twice_as_long(proven):
    said = next_command(dataclasses.replace(proven, verdict=Outcome.INCONCLUSIVE))
    assert said == "hotloop prove examples/digits_cnn.py --plan plan.toml --budget 9m -- --epochs 3"


@pytest.mark.parametrize("verdict", [Outcome.FAIL, Outcome.INCONCLUSIVE])
def test_without_a_plan_one_looks_where_the_time_goes(untold, verdict):
    assert next_command(dataclasses.replace(untold, verdict=verdict)) == "hotloop diagnose train.py"
