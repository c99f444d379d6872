"""What all estimators share: their parameters, and the methods through which they are used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from hotloop.estimators import fitting, hisso, rollout, saving
from hotloop.estimators.arrays import check_inputs
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.network import NetPlan
from hotloop.estimators.options import Extractor, FitParams, Hisso, WarmStart
from hotloop.estimators.scaling import Transformer
from hotloop.estimators.shapes import InputShape
from hotloop.models.state import StateConfig


@dataclass(kw_only=True, eq=False, repr=False)
class NetRegressor(RegressorMixin, BaseEstimator):
    """A regressor that trains one network; a kind of it names the network (`plan`) and its own defaults.

    Parameters are stored as given and checked by `fit`, as scikit-learn wants it. After `fit`: `history_` has one
    entry an epoch, `n_iter_` counts them, `net_` is the network; after episodes, `hisso_profile_` says where the time
    went and `warm_start_history_` how the warm start went. Predictions have the dtype of X; the network is float32.
    With an integer `random_state`, equal calls of `fit` on the CPU give equal networks; no global generator is seeded.
    """

    hidden_layers: int = 2
    hidden_width: int | None = None
    hidden_units: int | None = None
    epochs: int = 200
    batch_size: int = 128
    lr: float = 1e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    activation: Mapping[str, Any] | None = None
    device: str | torch.device = "auto"
    random_state: int | np.random.RandomState | None = None
    early_stopping: bool = False
    patience: int = 20
    num_workers: int = 0
    loss: str | Callable[..., Any] = "mse"
    loss_params: Mapping[str, Any] | None = None
    loss_reduction: str = "mean"
    w0: float = 30.0
    preserve_shape: bool = False
    data_format: Literal["channels_first", "channels_last"] = "channels_first"
    conv_kernel_size: int = 1
    conv_channels: int | None = None
    per_element: bool = False
    activation_type: str = "psann"
    attention: Mapping[str, Any] | None = None
    stateful: bool = False
    state: StateConfig | Mapping[str, Any] | None = None
    state_reset: Literal["batch", "epoch", "none"] = "batch"
    stream_lr: float | None = None
    output_shape: tuple[int, ...] | None = None
    lsm: Any = None
    lsm_train: bool = False
    lsm_pretrain_epochs: int = 0
    lsm_lr: float | None = None
    warm_start: bool = False
    scaler: str | Transformer | None = None
    scaler_params: Mapping[str, Any] | None = None
    target_scaler: str | Transformer | None = None
    target_scaler_params: Mapping[str, Any] | None = None
    amp: bool = False
    amp_dtype: str | torch.dtype | None = "bfloat16"
    compile: bool = False
    compile_backend: str = "inductor"
    compile_mode: str = "default"
    compile_fullgraph: bool = False
    compile_dynamic: bool = False
    context_builder: str | Callable[..., Any] | None = None
    context_builder_params: Mapping[str, Any] | None = None

    # What fit leaves behind; no parameters, so the constructor neither takes nor sets them.
    fitted_: Fitted = field(init=False)
    hisso_: Hisso = field(init=False)
    history_: list[dict[str, Any]] = field(init=False)
    warm_start_history_: list[dict[str, Any]] = field(init=False)
    hisso_profile_: dict[str, Any] = field(init=False)
    n_iter_: int = field(init=False)
    stream_: rollout.Stream = field(init=False)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        context: ArrayLike | None = None,
        validation_data: tuple[Any, ...] | None = None,
        verbose: int = 0,
        noisy: float | ArrayLike | None = None,
        lr_max: float | None = None,
        lr_min: float | None = None,
        hisso: bool = False,
        hisso_window: int | None = None,
        hisso_batch_episodes: int | None = None,
        hisso_updates_per_epoch: int | None = None,
        hisso_reward_fn: Callable[..., Any] | str | None = None,
        hisso_context_extractor: Extractor | ArrayLike | None = None,
        hisso_primary_transform: Literal["identity", "softmax", "tanh"] | None = None,
        hisso_transition_penalty: float | None = None,
        hisso_trans_cost: float | None = None,
        hisso_supervised: WarmStart | bool | None = None,
        hisso_grad_clip_norm: float | None = 1.0,
        hisso_clip_every: int = 1,
        hisso_state_updates: bool | None = None,
        hisso_context_mode: Literal["per_batch", "per_series"] = "per_batch",
        hisso_compile: bool | Literal["model", "step"] | None = None,
    ) -> Self:
        """This estimator, trained on X (N, ...) and y; with `hisso`, on episodes of the series X for a reward.

        Raises ValueError for arrays, parameters or keywords that are not allowed.
        """
        params: FitParams = {
            "context": context,
            "validation_data": validation_data,
            "verbose": verbose,
            "noisy": noisy,
            "lr_max": lr_max,
            "lr_min": lr_min,
            "hisso": hisso,
            "hisso_window": hisso_window,
            "hisso_batch_episodes": hisso_batch_episodes,
            "hisso_updates_per_epoch": hisso_updates_per_epoch,
            "hisso_reward_fn": hisso_reward_fn,
            "hisso_context_extractor": hisso_context_extractor,
            "hisso_primary_transform": hisso_primary_transform,
            "hisso_transition_penalty": hisso_transition_penalty,
            "hisso_trans_cost": hisso_trans_cost,
            "hisso_supervised": hisso_supervised,
            "hisso_grad_clip_norm": hisso_grad_clip_norm,
            "hisso_clip_every": hisso_clip_every,
            "hisso_state_updates": hisso_state_updates,
            "hisso_context_mode": hisso_context_mode,
            "hisso_compile": hisso_compile,
        }
        fitting.fit(self, X, y, params, resume=self.warm_start and hasattr(self, "fitted_"))
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, context: ArrayLike | None = None) -> Self:
        """This estimator after one more pass over X and y; scalers stay as the first call fitted them.

        The moments of the optimizer start anew with each call.
        """
        fitting.fit(self, X, y, {"context": context}, resume=hasattr(self, "fitted_"), epochs=1)
        return self

    def predict(self, X: ArrayLike, *, context: ArrayLike | None = None) -> NDArray[np.floating[Any]]:
        """Predictions in the units of y, shape (N, ...) as y had; the state of a stateful network does not move."""
        fitted, values, dtype = self._ready(X)
        return fitted.predictions(fitted.raw(fitted.rows(values, context))).astype(dtype)

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
        row = np.asarray(x)[None]
        if not update_params:
            return self.predict_sequence(row, context=_one(context), update_state=update_state)
        if target is None:
            raise ValueError("got update_params=True without a target; the weights need one to move towards: give it")
        return self.predict_sequence_online(
            row, np.asarray(target)[None], context=_one(context), reset_state=False, update_state=update_state
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
        fitted, values, dtype = self._ready(X)
        if reset_state:
            self.reset_state()
        outputs = rollout.outputs(fitted, fitted.rows(values, context), update_state=update_state)
        predictions = fitted.predictions(outputs).astype(dtype)
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
        fitted, values, dtype = self._ready(X)
        if reset_state:
            self.reset_state()
        outputs = rollout.learning_outputs(self, fitted, values, y, context, update_state=update_state)
        predictions = fitted.predictions(outputs).astype(dtype)
        return predictions if return_sequence else predictions[-1]

    def reset_state(self) -> None:
        """Puts the state of a stateful network back to 1."""
        check_is_fitted(self)
        rollout.reset(self.fitted_)

    def infer_series(self, X: ArrayLike, *, context: ArrayLike | None = None) -> NDArray[np.floating[Any]]:
        """The actions on the series X, shape (N, M), by the transform of training; a state starts at 1 and moves."""
        fitted, values, dtype = self._ready(X)
        return hisso.actions(fitted, fitted.rows(values, context), self._trained()).cpu().numpy().astype(dtype)

    def evaluate_reward(
        self,
        X: ArrayLike,
        *,
        context: ArrayLike | None = None,
        reward_fn: Callable[..., Any] | str | None = None,
        context_extractor: Extractor | ArrayLike | None = None,
        transition_penalty: float | None = None,
    ) -> float:
        """The mean reward of the actions on the whole series X as one episode; what is left out is as in training.

        Raises ValueError for an estimator that was loaded without its reward or extractor and is not given it here.
        """
        fitted, values, _ = self._ready(X)
        asked = hisso.overridden(self._trained(), reward_fn, context_extractor, transition_penalty)
        return hisso.reward_of(fitted, fitted.rows(values, context), asked)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the fitted estimator to a folder, or to one file where `path` has a suffix; nothing is pickled.

        A reward, extractor, loss or context builder is stored by import path; for one that cannot be imported by it, a
        warning says that it must be given again. Raises FileExistsError for a folder that is not a saved estimator.
        """
        check_is_fitted(self)
        saving.save(self, path)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        map_location: str | torch.device = "cpu",
        reward_fn: Callable[..., Any] | None = None,
        context_extractor: Extractor | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Self:
        """The estimator that `save` wrote; nothing is unpickled, and named functions are imported, not called.

        `params` gives parameters that could not be stored. Raises ValueError for another class, and for a pickle.
        """
        loaded = saving.load(cls, path, device=map_location, params=params or {})
        saving.give_again(loaded, reward_fn, context_extractor)
        return loaded

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

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs, `columns` outputs and so many context columns."""
        raise NotImplementedError(f"{type(self).__name__} names no network; give it a method plan")

    def input_shape(self, row: tuple[int, ...]) -> InputShape:
        """How a row of X reaches the network."""
        return InputShape(row=row, grid=self.preserve_shape, data_format=self.data_format)

    def largest_gradient(self) -> float | None:
        """The 2-norm to which gradients of supervised training are clipped; None for no clipping."""
        return None

    def _ready(self, X: ArrayLike) -> tuple[Fitted, NDArray[np.float32], np.dtype[Any]]:
        check_is_fitted(self)
        values, dtype = check_inputs(self, X, reset=False)
        return self.fitted_, values, dtype

    def _trained(self) -> Hisso:
        if not hasattr(self, "hisso_"):
            raise ValueError("this estimator was not fitted on episodes; call fit(X, y, hisso=True) first")
        return self.hisso_


def _one(context: ArrayLike | None) -> ArrayLike | None:
    return None if context is None else np.asarray(context).reshape(1, -1)
