"""What all regressors share: the methods through which they are used, and psann's names for two of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any, Self, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from hotloop.estimators import fitting, policy, rollout, saving
from hotloop.estimators.arrays import check_inputs, check_targets
from hotloop.estimators.episode_settings import EpisodeSettings
from hotloop.estimators.fit_params import Extractor, FitParams, Reward, names_fit_params
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.parameters import NetParameters
from hotloop.estimators.request import History, Learned
from hotloop.estimators.saved_estimator import SavedEstimator
from hotloop.estimators.stream import Stream
from hotloop.train.checkpoint import CheckpointRecorder

_SAVED = ("history_", "n_iter_", "n_features_in_", "feature_names_in_", "warm_start_history_", "hisso_profile_")


@dataclass(kw_only=True, eq=False, repr=False)
class NetRegressor(RegressorMixin, BaseEstimator, NetParameters):
    """A regressor that trains one network; a kind of it names the network (`plan`) and its own defaults.

    After `fit`: `history_` has one entry an epoch, `n_iter_` counts them, `net_` is the network; after episodes,
    `hisso_profile_` says where the time went and `warm_start_history_` how the warm start went. Predictions have the
    dtype of X; the network is float32. With an integer `random_state`, equal calls of `fit` on the CPU give equal
    networks; no global generator is seeded.
    """

    # What fit leaves behind; no parameters, so the constructor neither takes nor sets them.
    fitted_: Fitted = field(init=False)
    hisso_: EpisodeSettings = field(init=False)
    history_: History = field(init=False)
    warm_start_history_: History = field(init=False)
    hisso_profile_: dict[str, Any] = field(init=False)
    n_iter_: int = field(init=False)
    stream_: Stream = field(init=False)

    @names_fit_params
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **params: Unpack[FitParams]) -> Self:
        """This estimator, trained on X (N, ...) and y; with `hisso`, on episodes of the series X for a reward.

        Raises ValueError for arrays, parameters or keywords that are not allowed.
        """
        known = self.fitted_ if self.warm_start and hasattr(self, "fitted_") else None
        _store(self, fitting.fit(self, X, y, params, known=known))
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, context: ArrayLike | None = None) -> Self:
        """This estimator after one more pass over X and y; scalers stay as the first call fitted them.

        The moments of the optimizer start anew with each call.
        """
        known = self.fitted_ if hasattr(self, "fitted_") else None
        _store(self, fitting.fit(self, X, y, {"context": context}, known=known, epochs=1))
        return self

    def predict(self, X: ArrayLike, *, context: ArrayLike | None = None) -> NDArray[np.floating[Any]]:
        """Predictions in the units of y, shape (N, ...) as y had; the state of a stateful network does not move."""
        fitted, rows, dtype = self._ready(X, context)
        return fitted.predictions(fitted.raw(rows)).astype(dtype)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        context: ArrayLike | None = None,
    ) -> float:
        """R^2 of the predictions, the mean over all columns of y."""
        from sklearn.metrics import r2_score

        predictions = self.predict(X, context=context)
        targets = np.asarray(y)
        if targets.ndim > 2:
            targets, predictions = targets.reshape(len(targets), -1), predictions.reshape(len(predictions), -1)
        return float(r2_score(targets, predictions, sample_weight=sample_weight))

    def step(
        self,
        x: ArrayLike,
        *,
        context: ArrayLike | None = None,
        target: ArrayLike | None = None,
        update_params: bool = False,
        update_state: bool = True,
    ) -> Any:
        """The prediction for one row; then the state moves, and with `update_params` the weights, towards `target`."""
        row, context = np.asarray(x)[None], None if context is None else np.asarray(context).reshape(1, -1)
        if not update_params:
            return self.predict_sequence(row, context=context, update_state=update_state)
        if target is None:
            raise ValueError("got update_params=True without a target; the weights need one to move towards: give it")
        return self.predict_sequence_online(
            row, np.asarray(target)[None], context=context, reset_state=False, update_state=update_state
        )[-1]

    def predict_sequence(
        self,
        X: ArrayLike,
        *,
        context: ArrayLike | None = None,
        reset_state: bool = False,
        return_sequence: bool = False,
        update_state: bool = True,
    ) -> Any:
        """The prediction for the last step of X, or for all with `return_sequence`; the state moves after each step."""
        fitted, rows, dtype = self._ready(X, context)
        if reset_state:
            self.reset_state()
        predictions = fitted.predictions(rollout.outputs(fitted, rows, update_state=update_state)).astype(dtype)
        return predictions if return_sequence else predictions[-1]

    def predict_sequence_online(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        context: ArrayLike | None = None,
        reset_state: bool = True,
        return_sequence: bool = True,
        update_state: bool = True,
    ) -> Any:
        """Predictions step by step, each made before its target moves the weights by one update at `stream_lr`."""
        fitted, rows, dtype = self._ready(X, context)
        if reset_state:
            self.reset_state()
        targets = fitted.targets(check_targets(y, len(rows)))
        stream = getattr(self, "stream_", None)
        if stream is None or stream.net is not fitted.net or stream.lr != self.stream_lr:
            stream = self.stream_ = Stream(self, fitted.net)
        predictions = fitted.predictions(stream.outputs(fitted, rows, targets, update_state=update_state)).astype(dtype)
        return predictions if return_sequence else predictions[-1]

    def reset_state(self) -> None:
        """Puts the state of a stateful network back to 1."""
        check_is_fitted(self)
        rollout.reset(self.fitted_)

    def infer_series(self, X: ArrayLike, *, context: ArrayLike | None = None) -> NDArray[np.floating[Any]]:
        """The actions on the series X, shape (N, M), by the transform of training; a state starts at 1 and moves."""
        fitted, rows, dtype = self._ready(X, context)
        return policy.actions(fitted, rows, self._episode_settings()).cpu().numpy().astype(dtype)

    def evaluate_reward(
        self,
        X: ArrayLike,
        *,
        context: ArrayLike | None = None,
        reward_fn: Reward | str | None = None,
        context_extractor: Extractor | ArrayLike | None = None,
        transition_penalty: float | None = None,
    ) -> float:
        """The mean reward of the actions on the whole series X as one episode; what is left out is as in training.

        Raises ValueError for an estimator that was loaded without its reward or extractor and is not given it here.
        """
        fitted, rows, _ = self._ready(X, context)
        settings = policy.rescored(self._episode_settings(), reward_fn, context_extractor, transition_penalty)
        return policy.reward_of(fitted, rows, settings)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the fitted estimator to a folder, or to one file where `path` has a suffix; nothing is pickled.

        A reward, extractor, loss or context builder is stored by import path; for one that cannot be imported by it, a
        warning says that it must be given again. Raises FileExistsError for a folder that is not a saved estimator.
        """
        check_is_fitted(self)
        saved = SavedEstimator(
            kind=type(self).__name__,
            params=self.get_params(deep=False),
            network=self.fitted_,
            learned={name: getattr(self, name) for name in _SAVED if hasattr(self, name)},
            episodes=getattr(self, "hisso_", None),
        )
        saving.save(saved, path)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        map_location: str | torch.device = "cpu",
        reward_fn: Reward | None = None,
        context_extractor: Extractor | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Self:
        """The estimator that `save` wrote; nothing is unpickled, and named functions are imported, not called.

        `params` gives parameters that could not be stored. Raises ValueError for another class, and for a pickle.
        """
        saved = saving.load(path, kind=cls.__name__, device=map_location, params=params or {})
        saved = saved.given_again(reward_fn, context_extractor)
        estimator = cls(**saved.params)
        vars(estimator).update(saved.attributes())
        return estimator

    @property
    def net_(self) -> torch.nn.Module:
        """The trained network."""
        return self.fitted_.net

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "stream_"}

    def _ready(self, X: ArrayLike, context: ArrayLike | None) -> tuple[Fitted, torch.Tensor, np.dtype[Any]]:
        """The network, rows of X for it, and the dtype of what is returned for X."""
        check_is_fitted(self)
        values, dtype = check_inputs(self, X, reset=False)
        return self.fitted_, self.fitted_.rows(values, context), dtype

    def _episode_settings(self) -> EpisodeSettings:
        if not hasattr(self, "hisso_"):
            raise ValueError("this estimator was not fitted on episodes; call fit(X, y, hisso=True) first")
        return self.hisso_


def hisso_infer_series(estimator: NetRegressor, X_obs: Any) -> NDArray[np.floating[Any]]:
    """The actions on the series `X_obs`: `estimator.infer_series`."""
    return estimator.infer_series(X_obs)


def hisso_evaluate_reward(estimator: NetRegressor, X_obs: Any) -> float:
    """The reward on the series `X_obs`: `estimator.evaluate_reward`."""
    return estimator.evaluate_reward(X_obs)


def fit_recorded(
    estimator: NetRegressor, X: ArrayLike, y: ArrayLike | None, params: FitParams, *, recorder: CheckpointRecorder
) -> None:
    """Fits `estimator` on episodes anew; `recorder` is told of each epoch, when the estimator can be saved as it is."""
    on_start = partial(_store, estimator)
    _store(estimator, fitting.fit(estimator, X, y, params, recorder=recorder, on_start=on_start))


def _store(estimator: NetRegressor, learned: Learned) -> None:
    vars(estimator).pop("stream_", None)
    vars(estimator).update(learned.attributes())
