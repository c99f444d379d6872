"""Functions on fitted estimators under the names that psann gives them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotloop.estimators.regressor import NetRegressor


def hisso_infer_series(estimator: NetRegressor, X_obs: Any) -> NDArray[np.floating[Any]]:
    """The actions on the series `X_obs`: `estimator.infer_series`."""
    return estimator.infer_series(X_obs)


def hisso_evaluate_reward(estimator: NetRegressor, X_obs: Any) -> float:
    """The reward on the series `X_obs`: `estimator.evaluate_reward`."""
    return estimator.evaluate_reward(X_obs)
