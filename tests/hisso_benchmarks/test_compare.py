import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hisso" / "compare.py"


def entry(mode="compat", **changes):
    same = {"dataset": "portfolio", "device": "cpu", "variant": "dense", "mode": mode, "series_length": 506}
    return {
        **same,
        "primary_dim": 2,
        "episode_length": 64,
        "feature_shape": [2],
        "configured_batch_episodes": 1,
        "final_reward_mean": -4.5e-7,
        "mean_wall_time_s": 1.0,
        **changes,
    }


def document(*entries, calibration=0.01):
    return {"metadata": {"calibration_s": calibration}, "results": copy.deepcopy(list(entries))}


@pytest.fixture
def compare(tmp_path):
    def run(baseline, candidate, *options):
        for name, data in (("a", baseline), ("b", candidate)):
            (tmp_path / name).write_text(json.dumps(data))
        call = [sys.executable, SCRIPT, tmp_path / "a", tmp_path / "b", *options]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_small_drift_passes(compare):
    changed = entry(mean_wall_time_s=1.1, final_reward_mean=-4.6e-7)
    assert compare(document(entry()), document(changed))[0] == 0


def test_a_speed_up_of_any_size_passes(compare):
    assert compare(document(entry()), document(entry(mean_wall_time_s=0.01)))[0] == 0


def test_a_slow_down_fails_with_a_line_that_says_so(compare):
    code, text = compare(document(entry()), document(entry(mean_wall_time_s=1.6)))
    assert code == 1
    assert "[FAIL] portfolio/cpu/dense/compat: wall time 1 s became 1.6 s: 1.60 times" in text


def test_a_drift_of_tiny_rewards_fails_as_one_of_large_ones_does(compare):
    code, text = compare(document(entry()), document(entry(final_reward_mean=-9e-7)))
    assert code == 1
    assert "final reward -4.5e-07 became -9e-07" in text


@pytest.mark.parametrize("name", ["final_reward_mean", "mean_wall_time_s"])
@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_nan_never_passes_not_even_on_both_sides(compare, name, value):
    broken = entry(**{name: value})
    assert compare(document(entry()), document(broken))[0] == 1
    assert compare(document(broken), document(broken))[0] == 1


def test_a_slower_machine_is_not_slower_code(compare):
    slow = document(entry(mean_wall_time_s=2.0), calibration=0.02)
    assert compare(document(entry()), slow)[0] == 0
    assert compare(document(entry()), slow, "--no-normalize")[0] == 1


def test_files_that_do_not_say_how_fast_their_machine_was_fail(compare):
    assert compare(document(entry()), {"metadata": {}, "results": [entry()]})[0] == 1


def test_a_missing_run_fails_unless_it_is_allowed(compare):
    both, one = document(entry(), entry("fast")), document(entry())
    assert compare(both, one)[0] == 1
    assert compare(both, one, "--allow-missing")[0] == 0
    assert compare(document(entry("fast")), one, "--allow-missing")[0] == 1  # nothing at all was compared


def test_modes_choose_what_is_compared(compare):
    candidate = document(entry(), entry("fast", mean_wall_time_s=9.0))
    assert compare(document(entry(), entry("fast")), candidate, "--modes", "compat")[0] == 0
    assert compare(document(entry(), entry("fast")), candidate)[0] == 1
    assert compare(document(entry()), document(entry()), "--modes", "fast")[0] == 1


def test_other_work_is_not_compared_at_all(compare):
    code, text = compare(document(entry()), document(entry(episode_length=32, configured_batch_episodes=8)))
    assert code == 1
    assert "not the same work: episode_length 64 became 32, configured_batch_episodes 1 became 8" in text


def test_a_file_that_is_no_result_is_a_usage_error(compare):
    assert compare(document(entry()), {"results": 3})[0] == 2
