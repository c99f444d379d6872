import json

import numpy as np
import pytest
import tomli_w
import yaml

from hotloop.errors import ConfigError
from hotloop.runs import read_config
from hotloop.runs.config import DataConfig
from hotloop.runs.data import load_arrays
from hotloop.runs.named import load_callable, load_estimator, load_named, load_reward

PLAIN = {"estimator": {"target": "ResPSANNRegressor"}, "data": {"npz": "d.npz"}, "hisso": {"window": 8}}
WRITERS = {".yaml": yaml.safe_dump, ".json": json.dumps, ".toml": tomli_w.dumps}


@pytest.fixture
def write(tmp_path):
    def write_config(data, suffix=".yaml"):
        path = tmp_path / f"config{suffix}"
        path.write_text(data if isinstance(data, str) else WRITERS[suffix](data))
        return path

    return write_config


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_config_reads_the_same_in_every_format(write, suffix):
    config = read_config(write(PLAIN, suffix))
    assert config.hisso.window == 8
    assert config.data.npz == "d.npz"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hiso": {}}, r"hiso: not a key here; allowed are estimator, data, hisso, training, evaluation"),
        ({"hisso": {"windows": 3}}, r"hisso\.windows: not a key here; allowed are enabled, window, batch_episodes"),
        ({"hisso": {"window": "long"}}, r"hisso\.window: got 'long'"),
        ({"hisso": {"supervised": {"epoch": 3}}}, r"epoch: not a key here; allowed are y_key, epochs"),
        ({"hisso": {"batch_episodes": 1, "episodes_per_batch": 2}}, "two names of one number"),
        ({"data": {}}, "give either npz .* or loader"),
        ({"data": {"npz": "a", "loader": "b"}}, "and not both"),
        ({"training": {"checkpoint_every": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_key_is_named_with_those_allowed(write, change, message):
    with pytest.raises(ConfigError, match=message):
        read_config(write({**PLAIN, **change}))


@pytest.mark.parametrize(
    ("text", "message"), [("[1]", "holds a list"), ("a: [", "cannot be read"), ("", "holds a NoneType")]
)
def test_a_file_that_is_no_mapping_is_named(write, text, message):
    with pytest.raises(ConfigError, match=message):
        read_config(write(text))


def test_another_suffix_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.yaml, \.yml, \.json, \.toml"):
        read_config(tmp_path / "config.ini")
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("target", "params", "message"),
    [
        ("ResPSAN", {}, "known are PSANNRegressor, ResConvPSANNRegressor"),
        ("ResPSANNRegressor", {"layers": 2}, "unexpected keyword argument 'layers'; allowed are .*hidden_layers"),
        ("nowhere.at:All", {}, "no module 'nowhere' can be imported"),
        ("hotloop.estimators:Nothing", {}, "has no 'Nothing'"),
        ("missing.py:Kind", {}, r"no such file: .*missing\.py"),
        (":Kind", {}, "package.module:name"),
    ],
)
def test_an_estimator_that_is_not_there_is_named(tmp_path, target, params, message):
    with pytest.raises(ConfigError, match=message):
        load_estimator(target, params, folder=tmp_path)


def test_rewards_come_by_name_by_dotted_path_and_from_a_file(tmp_path):
    from hotloop.runs.config import TargetConfig
    from hotloop.train.rewards.drawdown import Drawdown

    assert load_reward(TargetConfig(target="drawdown", kwargs={"aversion": 2.0}), folder=tmp_path) == Drawdown(
        aversion=2.0
    )
    path = "hotloop.train.rewards.drawdown:Drawdown"
    assert load_reward(TargetConfig(target=path, kwargs={"aversion": 3.0}), folder=tmp_path) == Drawdown(aversion=3.0)
    (tmp_path / "own.py").write_text("def best(a, context, scale=1.0):\n    return scale * a\n")
    assert load_reward(TargetConfig(target="own.py:best", kwargs={"scale": 4.0}), folder=tmp_path)(2.0, None) == 8.0
    with pytest.raises(ConfigError, match=r"registered are .*multiplicative_return"):
        load_reward("riches", folder=tmp_path)
    with pytest.raises(ConfigError, match="cannot be called"):
        load_callable("hotloop:__version__", folder=tmp_path)


def test_a_module_whose_own_import_fails_is_not_taken_for_a_missing_one(tmp_path):
    (tmp_path / "broken.py").write_text("import not_there_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        load_named("broken.py:thing", folder=tmp_path)


def test_arrays_that_do_not_fit_are_named(tmp_path):
    def read(**arrays):
        np.savez(tmp_path / "d.npz", **arrays)
        return load_arrays(DataConfig(npz="d.npz"), folder=tmp_path)

    assert set(read(X_train=np.ones((3, 1)), prices_test=np.ones(2))) == {"X_train", "prices_test"}
    with pytest.raises(ConfigError, match="has the keys weights; allowed are"):
        read(X_train=np.ones(3), weights=np.ones(3))
    with pytest.raises(ConfigError, match="X_train is needed"):
        read(X_val=np.ones(3))
    with pytest.raises(ConfigError, match="y_train has 2 rows and X_train 3"):
        read(X_train=np.ones(3), y_train=np.ones(2))
    with pytest.raises(ConfigError, match="no NumPy archive of plain arrays"):
        read(X_train=np.array([object()]))
    with pytest.raises(ConfigError, match="no such file"):
        load_arrays(DataConfig(npz="gone.npz"), folder=tmp_path)


def test_a_loader_that_returns_no_mapping_is_named(tmp_path):
    (tmp_path / "own.py").write_text("def load(n=1):\n    return [n]\n")
    with pytest.raises(ConfigError, match="returned a list"):
        load_arrays(DataConfig(loader="own.py:load"), folder=tmp_path)
    with pytest.raises(ConfigError, match=r"correct data\.kwargs"):
        load_arrays(DataConfig(loader="own.py:load", kwargs={"m": 1}), folder=tmp_path)
