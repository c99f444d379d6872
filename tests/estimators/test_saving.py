"""What is saved comes back; nothing is pickled, and a file says what it could not hold."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from hotloop.estimators import PSANNRegressor, ResConvPSANNRegressor, ResPSANNRegressor, WaveResNetRegressor
from hotloop.estimators.json_values import decode
from hotloop.models.state import StateConfig
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn

HISSO = {"hisso": True, "hisso_window": 16}
OLDER = Path(__file__).parent / "saved" / "version_1"  # written before parameters were declared in one place
KINDS = (PSANNRegressor, ResPSANNRegressor, ResConvPSANNRegressor, WaveResNetRegressor)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_every_estimator_comes_back_from_a_folder_and_from_a_file(kind, name, small, series, tmp_path) -> None:
    model = kind(**small, scaler="standard", target_scaler="minmax").fit(series, series)
    model.save(tmp_path / name)
    loaded = kind.load(tmp_path / name)
    assert np.array_equal(loaded.predict(series), model.predict(series))
    assert loaded.get_params() == model.get_params()
    assert loaded.history_ == model.history_
    assert (tmp_path / name).is_dir() == (name == "model")


def test_rewards_and_functions_that_can_be_imported_come_back(small, series, tmp_path) -> None:
    model = PSANNRegressor(**small, loss=torch.nn.functional.mse_loss, state=StateConfig(rho=0.5)).fit(
        series,
        series,
        **HISSO,
        hisso_reward_fn=MultiplicativeReturn(eps=1e-6),
        hisso_context_extractor=torch.nn.functional.silu,
        hisso_transition_penalty=0.01,
    )
    model.save(tmp_path / "model")
    loaded = PSANNRegressor.load(tmp_path / "model")
    assert loaded.hisso_.reward == MultiplicativeReturn(eps=1e-6)
    assert loaded.evaluate_reward(series) == model.evaluate_reward(series)


def test_an_own_scaler_comes_back_without_pickle(small, series, tmp_path) -> None:
    model = PSANNRegressor(**small, scaler=StandardScaler()).fit(series, series)
    model.save(tmp_path / "model.zip")
    assert np.array_equal(PSANNRegressor.load(tmp_path / "model.zip").predict(series), model.predict(series))


def test_a_context_comes_back(small, series, tmp_path) -> None:
    context = series[:, :2]
    model = WaveResNetRegressor(**small).fit(series, series, context=context)
    model.save(tmp_path / "model")
    loaded = WaveResNetRegressor.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(series, context=context), model.predict(series, context=context))


def test_a_parameter_that_cannot_be_stored_is_given_again(small, series, tmp_path) -> None:
    model = PSANNRegressor(**small, loss=lambda outputs, targets: (outputs - targets).square()).fit(series, series)
    with pytest.warns(UserWarning, match="loss"):
        model.save(tmp_path / "model")
    loaded = PSANNRegressor.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(series), model.predict(series))
    with pytest.raises(ValueError, match="give it again"):
        loaded.fit(series, series)
    assert PSANNRegressor.load(tmp_path / "model", params={"loss": "mse"}).fit(series, series).n_iter_ == 2


def test_a_second_save_replaces_the_first_and_leaves_nothing_behind(small, series, tmp_path) -> None:
    model = PSANNRegressor(**small).fit(series, series)
    model.save(tmp_path / "model")
    model.set_params(random_state=1).fit(series, series).save(tmp_path / "model")
    assert len(list((tmp_path / "model").iterdir())) == 2
    assert np.array_equal(PSANNRegressor.load(tmp_path / "model").predict(series), model.predict(series))


def test_a_save_that_breaks_off_leaves_the_old_estimator(small, series, tmp_path, monkeypatch) -> None:
    model = PSANNRegressor(**small).fit(series, series)
    model.save(tmp_path / "model")
    before = model.predict(series)
    model.set_params(random_state=1).fit(series, series)
    real = os.replace

    def broken(source, target):
        if str(target).endswith(".json"):
            raise OSError("disk full")
        real(source, target)

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        model.save(tmp_path / "model")
    assert np.array_equal(PSANNRegressor.load(tmp_path / "model").predict(series), before)


def test_row_S1b_a_folder_of_an_older_version_is_read(series, tmp_path) -> None:
    shutil.copytree(OLDER, tmp_path / "older")
    document = json.loads((OLDER / "estimator.json").read_text())
    later = [document["hisso"]["options"].pop(name) for name in ("fused", "phases", "clip_every")]
    del document["params"]["compile_dynamic"]
    (tmp_path / "older/estimator.json").write_text(json.dumps(document))
    for folder in (OLDER, tmp_path / "older"):
        loaded = PSANNRegressor.load(folder)
        assert loaded.predict(series)[0] == pytest.approx([8.73965836, 9.47567368, 8.97857380], rel=1e-5)
        assert loaded.infer_series(series)[0] == pytest.approx([0.3139914, 0.3557606, 0.33024806], rel=1e-5)
        assert loaded.evaluate_reward(series) == pytest.approx(0.01861987821, rel=1e-4)
        assert loaded.hisso_.reward == MultiplicativeReturn(eps=1e-6)
        options = loaded.hisso_.options
        assert [options.fused, options.phases, options.clip_every] == later
        assert (loaded.n_iter_, len(loaded.history_), len(loaded.warm_start_history_)) == (2, 2, 1)


def test_another_class_is_refused(small, series, tmp_path) -> None:
    PSANNRegressor(**small).fit(series, series).save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"PSANNRegressor\.load"):
        ResPSANNRegressor.load(tmp_path / "model")


def test_a_pickle_is_not_read(small, tmp_path) -> None:
    torch.save({"class": "PSANNRegressor"}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="pickle"):
        PSANNRegressor.load(tmp_path / "model.pt")


def test_a_folder_of_other_files_is_not_written_into(small, series, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="other files"):
        PSANNRegressor(**small).fit(series, series).save(tmp_path)


def test_a_file_that_names_a_class_to_call_is_refused() -> None:
    with pytest.raises(ValueError, match="only dataclasses"):
        decode({"kind": "dataclass", "class": "subprocess:Popen", "fields": {}}, "reward_fn")
    with pytest.raises(ValueError, match="only scikit-learn"):
        decode({"kind": "estimator", "class": "subprocess:Popen", "params": {}, "learned": {}}, "scaler")


def test_the_file_holds_json_and_safetensors_alone(small, series, tmp_path) -> None:
    PSANNRegressor(**small).fit(series, series, **HISSO).save(tmp_path / "model.pt")
    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        names = sorted(archive.namelist())
        assert json.loads(archive.read("estimator.json"))["class"] == "PSANNRegressor"
    assert [name.rpartition(".")[2] for name in names] == ["json", "safetensors"]


def test_without_scikit_learn_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = None\nimport hotloop.estimators"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'hotloop[sklearn]'" in answer.stderr
