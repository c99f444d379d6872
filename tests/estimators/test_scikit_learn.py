"""The estimators are what scikit-learn expects of a regressor."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hotloop.estimators import PSANNRegressor, ResConvPSANNRegressor, ResPSANNRegressor, WaveResNetRegressor

SMALL = {"hidden_layers": 1, "hidden_units": 16, "epochs": 30, "batch_size": 64, "lr": 1e-2, "random_state": 0}
KINDS = (PSANNRegressor, ResPSANNRegressor, ResConvPSANNRegressor, WaveResNetRegressor)


def data(rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(rows, 3))
    return X, np.stack([np.sin(X[:, 0]), X[:, 1]], axis=1)


@parametrize_with_checks([kind(**SMALL) for kind in KINDS])
def test_scikit_learn_check(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_the_same_parameters_and_is_not_fitted(kind) -> None:
    X, y = data()
    fitted = kind(**{**SMALL, "epochs": 1}).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "fitted_")


def test_a_pipeline_and_a_grid_search_find_the_better_rate() -> None:
    X, y = data(120)
    pipeline = make_pipeline(StandardScaler(), PSANNRegressor(**{**SMALL, "epochs": 10}))
    search = GridSearchCV(
        pipeline, {"psannregressor__lr": [1e-7, 1e-2], "psannregressor__epochs": np.array([10])}, cv=2
    )
    assert search.fit(X, y).best_params_["psannregressor__lr"] == 1e-2


def test_cross_validation_scores_each_fold() -> None:
    X, y = data(90)
    assert (cross_val_score(ResPSANNRegressor(**SMALL), X, y, cv=3) > 0.3).all()


def test_episodes_go_through_a_grid_search() -> None:
    X, y = data(80)
    search = GridSearchCV(PSANNRegressor(**{**SMALL, "epochs": 2}), {"lr": [1e-3, 1e-2]}, cv=2)
    search.fit(X, y, hisso=True, hisso_window=8)
    assert search.best_estimator_.infer_series(X).sum(1) == pytest.approx(np.ones(80), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_estimator_predicts_the_same(kind) -> None:
    X, y = data()
    fitted = kind(**{**SMALL, "epochs": 2}).fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))


def test_predictions_have_the_dtype_of_the_inputs() -> None:
    X, y = data()
    fitted = PSANNRegressor(**{**SMALL, "epochs": 1}).fit(X, y)
    assert fitted.predict(X).dtype == np.float64
    assert fitted.predict(X.astype(np.float32)).dtype == np.float32


def test_rows_are_predicted_alike_alone_and_together() -> None:
    X, y = data(200)
    fitted = ResPSANNRegressor(**{**SMALL, "epochs": 2}).fit(X, y)
    alone = np.concatenate([fitted.predict(row[None]) for row in X])
    assert np.array_equal(alone, fitted.predict(X))
