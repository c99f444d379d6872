"""From a call of fit to a trained network: arrays checked, shapes and scalers settled, network built, trainer run."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hotloop.estimators import hisso
from hotloop.estimators.arrays import check_inputs, check_more_inputs, check_targets, validation_items
from hotloop.estimators.context import context_columns
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.losses import build_loss
from hotloop.estimators.options import FitParams
from hotloop.estimators.parameters import check_parameters, chosen_device, settings_of
from hotloop.estimators.scaling import fit_scaler
from hotloop.estimators.shapes import Floats, output_shape
from hotloop.estimators.supervised import Course, Pair, compiled, uncompiled
from hotloop.train.episodic import SupervisedOptions
from hotloop.train.resumption import Recorder

if TYPE_CHECKING:
    from hotloop.estimators.regressor import NetRegressor


def fit(
    estimator: "NetRegressor",
    X: Any,
    y: Any,
    params: FitParams,
    *,
    resume: bool,
    epochs: int | None = None,
    recorder: Recorder | None = None,
) -> None:
    """Trains `estimator`; with `resume`, goes on with the network it has. `epochs` overrides its own number.

    A `recorder` is told of each epoch of episodes, when the estimator can be saved as it is.
    """
    check_parameters(estimator)
    is_hisso = params.get("hisso", False)
    values, _ = check_inputs(estimator, X, reset=not resume)
    targets = _targets(estimator, y, len(values), required=not is_hisso)
    seed = _seed(estimator.random_state)
    with seeded(seed, chosen_device(estimator)):
        if resume:
            fitted = _resumed(estimator, values, targets)
        else:
            fitted = _prepared(estimator, values, _shaping_targets(targets, params, len(values)), params)
        session = Session(estimator, fitted, params, seed=seed, epochs=epochs, recorder=recorder)
        if is_hisso:
            hisso.fit(session, values, targets)
        else:
            session.fit_targets(values, targets)


class Session:
    """One call of fit on a prepared network."""

    def __init__(
        self,
        estimator: "NetRegressor",
        fitted: Fitted,
        params: FitParams,
        *,
        seed: int | None,
        epochs: int | None,
        recorder: Recorder | None = None,
    ) -> None:
        self.estimator, self.fitted, self.params, self.seed = estimator, fitted, params, seed
        self.recorder = recorder
        self.settings = settings_of(estimator)
        if epochs is not None:
            self.settings["epochs"] = epochs
        self.verbose = int(params.get("verbose", 0))
        self.context = params.get("context")

    def fit_targets(self, values: Floats, targets: Floats | None) -> None:
        """Train on targets, and keep network and history on the estimator."""
        assert targets is not None
        history = self.supervised("fit", self.rates(), noise=self.params.get("noisy")).run(
            self.fitted, self.pair(values, targets), self._validation()
        )
        self.keep(history)

    def rates(self) -> dict[str, Any]:
        """What `lr_max` and `lr_min` of this call override."""
        return _rates(self.params)

    def keep(self, history: list[dict[str, Any]]) -> None:
        """Put what was learned on the estimator."""
        self.estimator.fitted_ = self.fitted
        self.estimator.history_ = history
        self.estimator.n_iter_ = len(history)
        self.estimator.__dict__.pop("stream_", None)

    def supervised(self, title: str, overrides: dict[str, Any], noise: Any = None) -> Course:
        """A supervised run with the estimator's settings, some of them overridden."""
        estimator = self.estimator
        in_order = estimator.stateful and estimator.state_reset in ("epoch", "none")
        keywords: dict[str, Any] = {
            **self.settings,
            "batch_size": int(estimator.batch_size),
            "clip_norm": estimator.largest_gradient(),
            "shuffle": not in_order,
            **overrides,
        }
        return Course(
            options=SupervisedOptions(**keywords),
            criterion=build_loss(estimator.loss, estimator.loss_params, estimator.loss_reduction),
            wrap=self.wrap(),
            noise=noise,
            verbose=self.verbose,
            title=title,
        )

    def wrap(self) -> Any:
        """What stands around the network while it trains: the compiler, where it was asked for."""
        given = self.estimator
        if not given.compile:
            return uncompiled
        return compiled(
            {
                "backend": given.compile_backend,
                "mode": None if given.compile_mode == "default" else given.compile_mode,
                "fullgraph": given.compile_fullgraph,
                "dynamic": given.compile_dynamic or None,
            }
        )

    def pair(self, values: Floats, targets: Floats, context: Any = None) -> Pair:
        """Rows and targets in the network's scale."""
        context = self.context if context is None else context
        return Pair(rows=self.fitted.rows(values, context), targets=self.fitted.targets(targets))

    def validation_rows(self) -> tuple[Tensor, Any, Any] | None:
        """Rows of the validation data, its targets and its context as given; None where there are none."""
        given = self.params.get("validation_data")
        if given is None:
            return None
        X, y, context = validation_items(given)
        values = check_more_inputs(X, "validation X")
        is_own = bool(self.fitted.context.columns)
        return self.fitted.rows(values, context if is_own else None), y, context

    def _validation(self) -> Pair | None:
        found = self.validation_rows()
        if found is None:
            return None
        rows, y, _ = found
        if y is None:
            raise ValueError("got validation_data without targets; give (X, y), or (X, y, context)")
        return Pair(rows=rows, targets=self.fitted.targets(check_targets(y, len(rows), "validation y")))


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Generator[None]:
    """Draw from torch's generators as after manual_seed(seed), and put them back; with None, just draw."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _rates(params: FitParams) -> dict[str, Any]:
    """The learning rate of the first and the last epoch, where fit was given both; nothing else is overridden."""
    first, last = params.get("lr_max"), params.get("lr_min")
    if first is None and last is None:
        return {}
    if first is None or last is None or not 0 < last <= first:
        raise ValueError(
            f"got lr_max={first} and lr_min={last}; the rate goes from the one down to the other, so both are needed, "
            "above 0 and in this order: give both, or neither"
        )
    return {"lr": float(first), "lr_end": float(last)}


def _seed(random_state: Any) -> int | None:
    if random_state is None:
        return None
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))


def _targets(estimator: "NetRegressor", y: Any, rows: int, *, required: bool) -> Floats | None:
    if y is not None:
        return check_targets(y, rows)
    if required:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None; give y, or "
            "hisso=True to train for a reward"
        )
    return None


def _shaping_targets(targets: Floats | None, params: FitParams, rows: int) -> Floats | None:
    """The targets that say how many outputs there are: y, else those of the warm start."""
    warm = params.get("hisso_supervised")
    if targets is not None or not isinstance(warm, dict):
        return targets
    given = warm.get("y", warm.get("targets"))
    return None if given is None else check_targets(given, rows, "hisso_supervised y")


def _prepared(estimator: "NetRegressor", values: Floats, targets: Floats | None, params: FitParams) -> Fitted:
    inputs = estimator.input_shape(tuple(values.shape[1:]))
    outputs = output_shape(targets, estimator.output_shape, inputs, per_element=estimator.per_element)
    context = context_columns(
        values,
        params.get("context"),
        builder=estimator.context_builder,
        params=estimator.context_builder_params,
        dim=getattr(estimator, "context_dim", None),
    )
    plan = estimator.plan(inputs, outputs.columns, context.columns)
    device = chosen_device(estimator)
    return Fitted(
        plan=plan,
        net=plan.build().to(device),
        inputs=inputs,
        outputs=outputs,
        input_scaler=fit_scaler(estimator.scaler, estimator.scaler_params, inputs.lay_out(values)),
        target_scaler=_target_scaler(estimator, None if targets is None else outputs.lay_out(targets)),
        context=context,
        device=device,
    )


def _target_scaler(estimator: "NetRegressor", targets: Floats | None) -> Any:
    if targets is None and estimator.target_scaler is not None:
        raise ValueError("got a target_scaler without y; there is nothing to fit it on: give y, or leave it out")
    return None if targets is None else fit_scaler(estimator.target_scaler, estimator.target_scaler_params, targets)


def _resumed(estimator: "NetRegressor", values: Floats, targets: Floats | None) -> Fitted:
    """The network that the estimator has. Raises ValueError where the arrays do not fit it."""
    fitted = estimator.fitted_
    fitted.inputs.check(values)
    if targets is not None:
        fitted.outputs.lay_out(targets[:1])
    return fitted
