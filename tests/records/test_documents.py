import dataclasses
import json
import math
from pathlib import Path

import pytest

from hotloop.errors import EvidenceError
from hotloop.measurement import Clock, Interval, Memory
from hotloop.records.documents import SCHEMA, read_result, result_data, result_json
from hotloop.trial import Curves, Result, Trial
from hotloop.verdict import Outcome, Verdict

PLAN = ({"name": "compile", "mode": "default"},)
FASTER = Interval(ratio=1.5, low=1.4, high=1.6)


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
        aa=Interval(ratio=1.0, low=0.99, high=1.01),
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
    assert read_result(json.loads(result_json(result))) == result


def test_the_document_says_on_which_clock_each_ratio_was_taken(result):
    data = result_data(result)
    assert data["schema"] == SCHEMA
    assert data["speedup"] == {"ratio": 1.5, "low": 1.4, "high": 1.6, "clock": "cpu"}
    assert data["trials"][0]["speedup"]["clock"] == "cpu"
    assert data["trials"][1]["speedup"] is None


def test_json_has_no_nan(result):
    lost = dataclasses.replace(result, curves=Curves(plan=(math.nan, math.inf)))
    data = json.loads(result_json(lost))
    assert data["curves"]["plan"] == ["nan", "inf"]
    assert read_result(data).curves.plan == pytest.approx((math.nan, math.inf), nan_ok=True)


def test_another_schema_is_refused(result):
    with pytest.raises(EvidenceError, match=r"schema 99; this hotloop reads 1 to 2: measure again"):
        read_result({**result_data(result), "schema": 99})


@pytest.mark.parametrize("key", ["verdict", "trials", "environment", "clock"])
def test_a_document_with_a_hole_is_refused(result, key):
    data = result_data(result)
    del data[key]
    with pytest.raises(EvidenceError, match=r"incomplete or damaged .*; measure again"):
        read_result(data)


STORED = Path(__file__).parents[2] / "benchmarks" / "results" / "amd-epyc-2-cores" / "tune" / "digits_cnn.json"


def test_a_result_of_the_first_schema_is_read_with_the_names_of_this_one():
    data = json.loads(STORED.read_text(encoding="utf-8"))
    assert data["schema"] == 1
    result = read_result(data)
    assert result.speedup.ratio == data["speedup"]["median"]
    assert [trial.replicates for trial in result.trials] == [trial["pairs"] for trial in data["trials"]]
    assert [trial.amdahl_limit for trial in result.trials] == [trial["bound"] for trial in data["trials"]]
    speed = next(verdict for verdict in result.verdicts if verdict.gate == "speed")
    assert speed.numbers["ratio"] == result.speedup.ratio
    assert read_result(result_data(result)) == result


def test_what_the_first_schema_wrote_as_null_is_no_number_or_without_bound(result):
    data = result_data(result)
    old = {**data, "schema": 1, "speedup": {"median": 1.5, "low": 0.0, "high": None, "clock": "cpu"}}
    old["curves"] = {"baseline": [2.0, None]}
    read = read_result(old)
    assert read.speedup == Interval(ratio=1.5, low=0.0, high=math.inf)
    assert read.curves.baseline == pytest.approx((2.0, math.nan), nan_ok=True)
