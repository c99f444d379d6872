"""A plan that saves memory, proven from end to end; the verdict itself is left to the machine that it runs on."""

from pathlib import Path

import pytest

from hotloop.objective import Objective
from hotloop.proof.prove import prove
from hotloop.proof.session import Options
from hotloop.records.documents import read_result, result_data
from hotloop.transform import Plan
from hotloop.transforms.checkpointing import Checkpointing
from hotloop.workload import parse_workload

PROGRAMS = Path(__file__).parents[1] / "programs"


@pytest.mark.slow
def test_checkpointing_needs_less_memory_and_both_figures_are_judged(tmp_path):
    script = parse_workload("repeated_blocks.py", folder=PROGRAMS)
    options = Options(budget=60.0, steps=6, objective=Objective.MEMORY, history=f"sqlite:///{tmp_path}/history.db")
    result = prove(script, Plan((Checkpointing(),)), options=options)
    assert result.objective is Objective.MEMORY
    assert result.memory_ratio is not None
    assert result.memory_ratio.ratio > 1.1
    assert result.baseline_memory.peak > result.memory.peak
    assert [verdict.gate for verdict in result.verdicts][-2:] == ["memory", "speed"]
    assert all(verdict.passed for verdict in result.verdicts[:-2])
    assert read_result(result_data(result)) == result
