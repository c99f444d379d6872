"""The keywords of fit: in its signature, with their defaults, and no others."""

import inspect
from pathlib import Path

import pytest
from sklearn import config_context

from hotloop.estimators import PSANNRegressor, WaveResNetRegressor
from hotloop.estimators.fit_params import DEFAULTS, FitParams


@pytest.mark.parametrize("kind", [PSANNRegressor, WaveResNetRegressor])
def test_the_signature_of_fit_has_every_keyword_and_its_default(kind) -> None:
    parameters = inspect.signature(kind.fit).parameters
    assert list(parameters) == ["self", "X", "y", *FitParams.__annotations__]
    given = {name: parameter.default for name, parameter in parameters.items() if name in FitParams.__annotations__}
    assert {name: value for name, value in given.items() if value is not None} == DEFAULTS
    assert (given["hisso_grad_clip_norm"], given["hisso_clip_every"], given["hisso_context_mode"]) == (
        1.0,
        1,
        "per_batch",
    )


def test_a_keyword_that_is_not_known_is_a_type_error(small, series) -> None:
    with pytest.raises(TypeError, match=r"fit\(\) got an unexpected keyword argument 'hiso'"):
        PSANNRegressor(**small).fit(series, series, hiso=True)


def test_scikit_learn_routes_the_keywords() -> None:
    with config_context(enable_metadata_routing=True):
        routed = PSANNRegressor().set_fit_request(hisso=True, context=True).get_metadata_routing().fit.requests
    assert (routed["hisso"], routed["context"], routed["hisso_window"]) == (True, True, None)


def test_each_parameter_stands_in_one_file_of_the_package() -> None:
    folder = Path(inspect.getfile(PSANNRegressor)).parent
    names = {"stream_lr": "parameters.py", "drop_path_max": "parameters.py", "hisso_window": "fit_params.py"}
    for name, declared in names.items():
        found = [file.name for file in folder.glob("*.py") if f"    {name}: " in file.read_text(encoding="utf-8")]
        assert found == [declared]
