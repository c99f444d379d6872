"""Rows of the acceptance list, and defect 16, that concern the benchmark scripts."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "hisso"


@pytest.fixture
def script(monkeypatch):
    """A script of the benchmarks as a module; neighbours found beside it, and forgotten afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name):
        for neighbour in ("cases", "fitting", name):
            monkeypatch.delitem(sys.modules, neighbour, raising=False)
        return importlib.import_module(name)

    yield load
    for name in [
        name for name, found in sys.modules.items() if Path(getattr(found, "__file__", "") or "/").parent == FOLDER
    ]:
        del sys.modules[name]


def order_of(cases, variant, *, penalty, reward="return", X=None):
    data = cases.make_data("portfolio", variant)
    case = cases.make_case(
        data,
        variant,
        cases.schedules()["fast"],
        epochs=1,
        window=16,
        seed=0,
        penalty=penalty,
        reward=reward,
        device="cpu",
    )
    order = {"target": case.target, "params": case.params, "fit": case.fit, "reward": case.reward}
    return {**order, "X": data.X if X is None else X, "y": data.y}


@pytest.mark.parametrize("variant", ["dense", "conv"])
def test_defect_16_the_return_reward_of_the_benchmark_heeds_penalty_and_prices(script, variant):
    cases, fitting = script("cases"), script("fitting")
    plain, penalised = (
        fitting.fit_once("hotloop", order_of(cases, variant, penalty=penalty))["rewards"] for penalty in (0.0, 0.5)
    )
    assert penalised[0] < plain[0]
    falling = order_of(cases, variant, penalty=0.0)
    falling["X"] = -falling["X"]
    assert np.sign(fitting.fit_once("hotloop", falling)["rewards"][0]) == -np.sign(plain[0])


def test_defect_16_the_context_of_pictures_is_the_newest_return_of_each_price(script):
    import torch

    fitting, cases = script("fitting"), script("cases")
    conv = torch.from_numpy(cases.make_data("portfolio", "conv").X[None, 40:60])
    dense = torch.from_numpy(cases.make_data("portfolio", "dense").X[None, 55:75])
    torch.testing.assert_close(fitting.prices_of_log_returns(conv), fitting.prices_of_log_returns(dense))


def test_a4_s3a_6_1_a_run_prints_time_and_throughput_and_records_its_schedule(script, monkeypatch, tmp_path, capsys):
    path = tmp_path / "result.json"
    variants = script("variants")
    call = ["variants.py", "--variants", "dense", "--epochs", "1", "--window", "16", "--output", str(path)]
    monkeypatch.setattr(sys, "argv", call)
    variants.main()
    printed = capsys.readouterr().out.splitlines()
    document = json.loads(path.read_text())
    assert [schedule["name"] for schedule in document["schedules"]] == ["compat", "fast"]
    for line, result, schedule in zip(printed, document["results"], ((1, 32), (8, 4)), strict=True):
        assert re.search(r"fit [\d.]+ s  loop [\d.]+ s  \d+ episodes/s", line)
        assert (result["configured_batch_episodes"], result["configured_updates_per_epoch"]) == schedule
        assert result["mean_episodes_per_run"] == 32
        for kind in ("wall", "profile"):
            throughput = result[f"mean_{kind}_throughput_eps_per_s"]
            assert throughput == pytest.approx(32 / result[f"mean_{kind}_time_s"])
        assert set(result) >= {"reward_trend_mean", "episodes_per_epoch_mean", "final_reward_mean", "series_length"}


def test_o1_o2_2_2c_the_knobs_are_measured_in_pairs(script, monkeypatch, tmp_path, capsys):
    path = tmp_path / "knobs.json"
    knobs = script("knobs")
    monkeypatch.setattr(sys, "argv", ["knobs.py", "--rounds", "2", "--epochs", "1", "--output", str(path)])
    knobs.main()
    document = json.loads(path.read_text())
    assert list(document["results"]) == list(knobs.PAIRS)
    assert len(capsys.readouterr().out.splitlines()) == len(knobs.PAIRS)
    for found in document["results"].values():
        assert len(found["default_loop_s"]) == len(found["changed_loop_s"]) == 2
        assert found["low"] <= found["ratio"] <= found["high"]
    context = document["results"]["context per_series"]
    assert min(context["default_loop_s"]) >= 32 * document["extractor_s"]


def test_results_name_no_folder_of_the_machine_that_measured():
    texts = {path: path.read_text(encoding="utf-8") for path in FOLDER.parent.glob("results/**/*.json")}
    found = [path.name for path, text in texts.items() if re.search(r'"/(work|root|tmp|home)/', text)]
    assert texts
    assert found == []
