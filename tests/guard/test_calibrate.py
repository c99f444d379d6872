"""Limits from repeats: the arithmetic on figures with a known answer, and that equal code then passes."""

import math
import random
import statistics
import tomllib

import pytest

from hotloop.compare.inference import t_quantile
from hotloop.guard.calibrate import LimitCalibration, derive_limit
from hotloop.guard.limits import DEFAULTS, GuardSettings
from hotloop.guard.side import Side
from hotloop.verdict import Outcome

REPEATS = [0.010, -0.014, 0.006, 0.000, -0.012]


def test_the_limit_is_the_prediction_bound_of_three_replicates():
    limit, line = derive_limit("step_time", REPEATS, DEFAULTS["step_time"])
    spread = statistics.stdev(REPEATS)
    bound = abs(statistics.fmean(REPEATS)) + t_quantile(0.98, 4) * spread * math.sqrt(1 / 3 + 1 / 5)
    assert limit.relative == pytest.approx(math.expm1(bound), abs=1e-3)
    assert limit.relative >= math.expm1(bound)
    assert limit.resolution > limit.relative
    assert limit.absolute == DEFAULTS["step_time"].absolute
    for part in ("+1.00, -1.40", f"SD {100 * spread:.2f}", "sqrt(1/3 + 1/5)", f"limit {100 * limit.relative:g} %"):
        assert part in line


def test_a_quiet_machine_keeps_the_defaults():
    limit, _ = derive_limit("step_time", [1e-4, -1e-4, 0.0, 2e-4], DEFAULTS["step_time"])
    assert limit == DEFAULTS["step_time"]


def test_equal_code_seldom_exceeds_the_limit():
    order, exceeded = random.Random(0), 0
    for _ in range(2000):
        limit, _ = derive_limit("step_time", [order.gauss(0, 0.02) for _ in range(6)], DEFAULTS["step_time"])
        exceeded += statistics.fmean(order.gauss(0, 0.02) for _ in range(3)) > math.log1p(limit.relative)
    assert exceeded / 2000 < 0.02


def test_the_settings_that_are_printed_load(tmp_path, cpu_machine):
    limit, line = derive_limit("step_time", REPEATS, DEFAULTS["step_time"])
    found = LimitCalibration(
        verdict=Outcome.PASS,
        workload="train.py",
        base=Side(tree=tmp_path),
        limits={"step_time": limit},
        repeats={"step_time": REPEATS},
        arithmetic=(line,),
        environment=cpu_machine,
    )
    path = tmp_path / "guard.toml"
    path.write_text(found.text().partition("--settings:\n")[2])
    assert GuardSettings.load(path).limits["step_time"] == limit
    assert tomllib.loads(found.toml())
    assert '"arithmetic"' in found.to_json()
