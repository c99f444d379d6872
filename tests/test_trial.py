import json
import math

import pytest

from hotloop.errors import EvidenceError
from hotloop.measurement import Clock, Interval, Memory
from hotloop.trial import SCHEMA, Curves, Result, Trial
from hotloop.verdict import Outcome, Verdict

PLAN = ({"name": "compile", "mode": "default"},)
FASTER = Interval(median=1.5, low=1.4, high=1.6)


@pytest.fixture
def result(cpu_machine):
    verdict = Verdict(gate="speed", outcome=Outcome.PASS, message="1.5x", numbers={"ratio": 1.5})
    trial = Trial(
        plan=PLAN, title="compile", change="compile", kept=True, reason="faster", speedup=FASTER, verdicts=(verdict,)
    )
    return Result(
        workload="train.py",
        verdict=Outcome.PASS,
        message="1.5x",
        speedup=FASTER,
        aa=Interval(median=1.0, low=0.99, high=1.01),
        clock=Clock.CPU,
        plan=PLAN,
        payback_steps=300,
        payback_seconds=2.5,
        trials=(trial, Trial(plan=(), title="nothing", change="nothing", reason="-", memory=Memory(rss=5))),
        environment=cpu_machine,
        evidence="out/evidence",
        command="hotloop tune train.py",
        verdicts=(verdict,),
        curves=Curves(baseline=(2.0, 1.0), low=(1.9, 0.9), high=(2.1, 1.1), plan=(2.0, 1.0)),
        notes=("quiet",),
    )


def test_a_result_survives_its_document(result):
    assert Result.from_data(json.loads(result.to_json())) == result


def test_the_document_says_on_which_clock_each_ratio_was_taken(result):
    data = result.to_data()
    assert data["schema"] == SCHEMA
    assert data["speedup"] == {"median": 1.5, "low": 1.4, "high": 1.6, "clock": "cpu"}
    assert data["trials"][0]["speedup"]["clock"] == "cpu"
    assert data["trials"][1]["speedup"] is None


def test_json_has_no_nan(result):
    data = json.loads(json.dumps(Result.to_data(result)))
    lost = Result.from_data({**data, "tuning_seconds": 1.0, "curves": {"plan": [math.nan, math.inf]}})
    assert json.loads(lost.to_json())["curves"]["plan"] == [None, None]


def test_another_schema_is_refused(result):
    with pytest.raises(EvidenceError, match=r"schema 99; this hotloop reads 1: measure again"):
        Result.from_data({**result.to_data(), "schema": 99})


@pytest.mark.parametrize("key", ["verdict", "trials", "environment", "clock"])
def test_a_document_with_a_hole_is_refused(result, key):
    data = result.to_data()
    del data[key]
    with pytest.raises(EvidenceError, match=r"incomplete or damaged .*; measure again"):
        Result.from_data(data)
