import importlib.util
import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "hisso"


def script(name, *arguments):
    call = [sys.executable, FOLDER / f"{name}.py", *map(str, arguments)]
    done = subprocess.run(call, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def module(monkeypatch):
    """Loads a script as a module, with its neighbours beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name):
        spec = importlib.util.spec_from_file_location(f"hisso_{name}", FOLDER / f"{name}.py")
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, loaded)
        spec.loader.exec_module(loaded)
        return loaded

    return load


def test_a10_variants_records_the_exact_call_and_the_machine_and_compares_with_itself(tmp_path):
    path = tmp_path / "result.json"
    options = ["--variants", "dense", "--modes", "fast", "--epochs", 1, "--reward", "return"]
    assert "final reward" in script("variants", *options, "--output", path)
    document = json.loads(path.read_text())
    metadata, (result,) = document["metadata"], document["results"]
    assert metadata["argv"][1:5] == ["--variants", "dense", "--modes", "fast"]
    assert {"cpu", "git_revision", "torch", "threads"} < set(metadata["environment"])
    assert metadata["threads"] == 1
    assert (result["resolved_episode_batch_size"], result["resolved_updates_per_epoch"]) == (8, 4)
    assert (result["series_length"], result["feature_shape"], result["primary_dim"]) == (506, [2], 2)
    assert "[ok]" in script("compare", path, path)


def test_a8_the_micro_profile_accounts_for_the_loop():
    profile = json.loads(script("profile_hisso", "--json"))
    phases = sum(value for name, value in profile.items() if name.endswith("_time_s_total"))
    phases -= profile["episode_time_s_total"]  # gather and noise once more
    assert phases >= 0.95 * profile["total_time_s"]


def test_every_case_has_the_shapes_of_the_spec(module):
    cases = module("cases")
    shapes = {
        (dataset, variant): (data.X.shape, data.y.shape)
        for dataset in cases.DATASETS
        for variant in cases.VARIANTS
        for data in [cases.make_data(dataset, variant)]
    }
    assert shapes == {
        ("synthetic", "dense"): ((768, 8), (768, 3)),
        ("synthetic", "conv"): ((512, 2, 8, 8), (512, 3)),
        ("portfolio", "dense"): ((506, 2), (506, 2)),
        ("portfolio", "conv"): ((490, 2, 4, 4), (490, 2)),
    }


def samples(kind, *, ours=1.0, theirs=2.0, rewards=(1.0, 1.0)):
    def one(group, number, arm, seconds, reward):
        return kind(
            group=group,
            round=number,
            arm=arm,
            case="dense fast",
            wall_s=seconds,
            cpu_s=seconds,
            loop_s=seconds,
            rewards=[reward],
        )

    arms = [("hotloop", ours, rewards[0]), ("1.0", theirs, rewards[1])]
    return [one(group, number, *arm) for group in range(3) for number in range(4) for arm in arms]


def test_the_ratio_is_that_of_the_times_and_its_interval_is_over_groups(module):
    side = module("side_by_side")
    (found,) = side.compare(samples(side.Sample), "1.0")
    assert found["ratios"]["loop"]["median"] == pytest.approx(2.0)
    assert found["groups"] == 3
    assert found["largest_reward_difference"] == 0.0


@pytest.mark.parametrize(("rewards", "expected"), [((1.0, 1.1), 0.1 / 1.1), ((math.nan, 1.0), math.inf)])
def test_rewards_that_differ_are_told_and_nan_is_never_equal(module, rewards, expected):
    side = module("side_by_side")
    (found,) = side.compare(samples(side.Sample, rewards=rewards), "1.0")
    assert found["largest_reward_difference"] == pytest.approx(expected)


def test_a_worker_takes_turns_and_answers_with_times_and_rewards(module, tmp_path):
    side, cases = module("side_by_side"), module("cases")
    data = cases.make_data("portfolio", "dense")
    case = cases.make_case(
        data,
        "dense",
        cases.schedules()["fast"],
        epochs=1,
        window=16,
        seed=0,
        penalty=0.0,
        reward="energy",
        device="cpu",
    ).save(tmp_path)
    worker = side.Worker("hotloop", sys.executable, min(os.sched_getaffinity(0)))
    first, second = worker.fit(case), worker.fit(case)
    worker.stop()
    assert first["rewards"] == second["rewards"]
    assert 0.0 < first["loop_s"] < first["wall_s"]
    assert worker.about["package"] == "hotloop"


def test_the_plot_of_scaling_is_a_picture_with_all_points(module):
    scaling = module("scaling")
    document = {
        "loop_s_by_episodes": {64: 0.1, 128: 0.2},
        "loop_s_by_length": {1000: 0.5, 10000: 0.5},
        "episodes_exponent": 1.0,
        "length_exponent": 0.0,
    }
    root = ET.fromstring(scaling.plot(document))
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 4
    assert scaling._exponent({1: 2.0, 10: 20.0, 100: 200.0}) == pytest.approx(1.0)
