"""scikit-learn regressors: supervised training, and episodic reward training (HISSO) of the same networks."""

try:
    import sklearn as _sklearn
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ImportError(
        "hotloop.estimators needs scikit-learn, which is not installed; everything else of hotloop works without: "
        "pip install 'hotloop[sklearn]'"
    ) from error

from hotloop.estimators.fit_params import FitParams, WarmStart
from hotloop.estimators.psann import PSANNRegressor
from hotloop.estimators.regressor import hisso_evaluate_reward, hisso_infer_series
from hotloop.estimators.res_conv_psann import ResConvPSANNRegressor
from hotloop.estimators.res_psann import ResPSANNRegressor
from hotloop.estimators.wave_res_net import WaveResNetRegressor

del _sklearn

__all__ = [
    "FitParams",
    "PSANNRegressor",
    "ResConvPSANNRegressor",
    "ResPSANNRegressor",
    "WarmStart",
    "WaveResNetRegressor",
    "hisso_evaluate_reward",
    "hisso_infer_series",
]
