"""Counts of real programs: an added read, a graph break, a recompile for each epoch are named with their lines."""

from dataclasses import replace

import pytest

from hotloop.guard.counts import Counts, count, count_metrics, worse_counts
from hotloop.guard.limits import GuardSettings, Limit
from hotloop.guard.side import Side
from hotloop.verdict import Outcome
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

from .conftest import TRAIN, changed

SETTINGS = GuardSettings(steps=20)
READS = changed("    optimizer.step()\n", "    optimizer.step()\n    if loss.item() > 1e9:\n        break\n")
COMPILED = changed("def compute_loss", '@torch.compile(backend="eager")\ndef compute_loss')
BREAKS = changed("    return (model", "    torch._dynamo.graph_break()\n    return (model", COMPILED)
RECOMPILES = changed("(64,))", "(64 + step // 5,))", COMPILED.replace('"eager"', '"eager", dynamic=False'))


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What a program counts; programs of one text are run once."""
    kept = {}

    def run(text):
        if text not in kept:
            folder = tmp_path_factory.mktemp("program")
            (folder / "train.py").write_text(text)
            settings = Settings(folder=tmp_path_factory.mktemp("session"))
            workload = parse_workload("train.py", folder=folder)
            kept[text] = count(Side(tree=folder), workload, settings, steps=SETTINGS.steps, run="0")
        return kept[text]

    return run


def metric(name, base, head, settings=SETTINGS):
    (found,) = count_metrics([base], [head], replace(settings, metrics=(name,)))
    return found


def line_of(text, part):
    return 1 + next(number for number, line in enumerate(text.splitlines()) if part in line)


def test_equal_programs_count_the_same(counted):
    assert worse_counts(counted(TRAIN), counted(TRAIN), SETTINGS) == []


def test_an_added_read_is_named(counted):
    found = metric("host_reads", counted(TRAIN), counted(READS))
    assert found.verdict is Outcome.FAIL
    assert f"train.py:{line_of(READS, 'item()')}: item (`if loss.item() > 1e9:`), 1 more a step" in found.message


def test_a_line_that_moved_is_no_new_read(counted):
    moved = counted("# a comment\n" + READS)
    assert metric("host_reads", counted(READS), moved).verdict is Outcome.PASS
    more = metric("host_reads", counted(TRAIN), moved)
    assert f"train.py:{line_of(READS, 'item()') + 1}:" in more.message


def test_a_graph_break_is_named(counted):
    found = metric("graph_breaks", counted(COMPILED), counted(BREAKS))
    assert found.verdict is Outcome.FAIL
    assert found.head == found.base + 1
    assert f"train.py:{line_of(BREAKS, 'graph_break()')}" in found.message
    assert counted(COMPILED).compile_seconds > 0


def test_a_recompile_for_each_epoch_is_named(counted):
    found = metric("recompiles", counted(COMPILED), counted(RECOMPILES))
    assert found.verdict is Outcome.FAIL
    assert (found.base, found.head) == (0, 3)
    assert f"train.py:{line_of(RECOMPILES, '@torch.compile')}" in found.message


def test_operators_are_shown_and_gated_only_where_a_limit_is_set(counted):
    shown = metric("operators", counted(TRAIN), counted(READS))
    assert shown.verdict is Outcome.PASS
    assert "not gated" in shown.message
    gated = replace(SETTINGS, limits={**SETTINGS.limits, "operators": Limit(relative=0.0)})
    assert metric("operators", counted(TRAIN), counted(READS), gated).verdict is Outcome.FAIL


COUNTED = Counts(
    steps=20,
    read_steps=20,
    graphs=0,
    compile_seconds=0.0,
    graph_breaks=(),
    recompiles=(),
    reads={"train.py:3: item": 1.0},
    operators={},
)


def test_counts_that_differ_from_run_to_run_tell_nothing():
    other = replace(COUNTED, reads={"train.py:3: item": 2.0})
    found = count_metrics([COUNTED, COUNTED], [COUNTED, other], SETTINGS)
    said = {one.name: one for one in found}["host_reads"]
    assert said.verdict is Outcome.INCONCLUSIVE
    assert "two runs of head count 1 and 2" in said.message


def test_a_program_that_is_over_before_tells_nothing():
    assert metric("host_reads", COUNTED, replace(COUNTED, read_steps=0)).verdict is Outcome.INCONCLUSIVE
    assert metric("graph_breaks", COUNTED, replace(COUNTED, steps=7)).verdict is Outcome.INCONCLUSIVE
