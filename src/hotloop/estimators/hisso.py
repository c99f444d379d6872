"""Episodic training of an estimator's network, and its policy on a series.

A policy is the primary transform of the network's own outputs, in training, in inference and in evaluation alike; the
context is always in the units of X.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.estimators import rollout
from hotloop.estimators.arrays import check_targets
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.network import continued
from hotloop.estimators.options import Extractor, Hisso, chosen_reward, resolve_hisso
from hotloop.estimators.progress import Progress
from hotloop.estimators.shapes import Floats
from hotloop.estimators.supervised import Pair
from hotloop.train.episodic import EpisodicEpoch, train_episodic
from hotloop.train.episodic.actions import to_actions
from hotloop.train.episodic.context import ContextSource, align
from hotloop.train.episodic.reward import RewardCall

if TYPE_CHECKING:
    from hotloop.estimators.fitting import Session
    from hotloop.estimators.regressor import NetRegressor


def fit(session: "Session", values: Floats, targets: Floats | None) -> None:
    """Trains the session's network on episodes of `values` and keeps what was learned on the estimator."""
    estimator, fitted = session.estimator, session.fitted
    if fitted.outputs.per_element:
        raise ValueError("got per_element=True with hisso=True; an action is one row of outputs a step: leave it out")
    settings: Any = {**session.settings, **session.rates()}
    asked = resolve_hisso(session.params, settings, columns=fitted.outputs.columns)
    recorder = session.recorder
    goes_on = recorder is not None and recorder.begin() is not None  # its warm start is behind it
    warm_history = [] if asked.warm_start is None or goes_on else _warm_start(session, asked, values, targets)
    rows = fitted.rows(values, session.context)
    validation = session.validation_rows()
    watched = None if validation is None else validation[0]
    if watched is None and asked.options.patience is not None:
        watched = rows
    # A compiled step contains the network; two compilers around it would be one too many.
    compiles = asked.options.compile != "off"
    model = continued(fitted.net)
    if recorder is not None:  # which saves the estimator while it is trained
        estimator.fitted_, estimator.hisso_, estimator.warm_start_history_ = fitted, asked, warm_history
    with Progress("hisso", epochs=asked.options.epochs, verbose=session.verbose) as progress:
        run = train_episodic(
            model if compiles else session.wrap()(model),
            rows,
            asked.options,
            reward=asked.reward,
            context=_extractor(fitted, asked.context, rows, validation),
            seed=session.seed,
            action_dim=fitted.outputs.columns,
            validation=watched,
            recorder=recorder,
            on_epoch=lambda epoch: progress.show(epoch.epoch, reward=epoch.reward, validation=epoch.validation),
        )
    fitted.net.eval()
    session.keep([_entry(epoch) for epoch in run.history])
    estimator.hisso_ = asked
    estimator.hisso_profile_ = run.profile.as_dict()
    estimator.warm_start_history_ = warm_history


def actions(fitted: Fitted, rows: Tensor, asked: Hisso) -> Tensor:
    """The actions on a series of rows, shape (N, M); a stateful network starts from a fresh state and moves it."""
    if rollout.is_stateful(fitted.net):
        rollout.reset(fitted)
        outputs = rollout.outputs(fitted, rows, update_state=asked.options.state_updates is not False)
    else:
        outputs = fitted.raw(rows)
    return to_actions(outputs.flatten(1), asked.options.primary_transform)


@torch.no_grad()
def reward_of(fitted: Fitted, rows: Tensor, asked: Hisso) -> float:
    """The mean reward of the policy on a series of rows as one episode."""
    chosen = actions(fitted, rows, asked).unsqueeze(0)
    extract = _extractor(fitted, asked.context, rows, None)
    inputs = rows.unsqueeze(0)
    context = inputs.flatten(2) if extract is None else ContextSource(extract)(inputs)
    rewards = RewardCall(asked.reward, asked.options.transition_penalty)(chosen, align(context, chosen.shape))
    return float(rewards.mean())


def overridden(asked: Hisso, reward: Callable[..., Any] | str | None, context: Any, penalty: float | None) -> Hisso:
    """The policy of training, scored with what is given here instead."""
    if penalty is not None:
        asked = replace(asked, options=replace(asked.options, transition_penalty=float(penalty)))
    if reward is not None:
        asked = replace(asked, reward=chosen_reward(reward))
    if context is not None:
        asked = replace(asked, context=context if callable(context) else np.asarray(context, dtype=np.float32))
    return asked


def hisso_infer_series(estimator: "NetRegressor", X_obs: Any) -> NDArray[np.floating[Any]]:
    """The actions on the series `X_obs`: `estimator.infer_series`, under the name that the peer gives it."""
    return estimator.infer_series(X_obs)


def hisso_evaluate_reward(estimator: "NetRegressor", X_obs: Any) -> float:
    """The reward on the series `X_obs`: `estimator.evaluate_reward`, under the name that the peer gives it."""
    return estimator.evaluate_reward(X_obs)


class SeriesContext:
    """The context of known series, one row a step, for a trainer that asks an extractor."""

    def __init__(self, known: list[tuple[Tensor, NDArray[np.float32]]]) -> None:
        for rows, context in known:
            if context.ndim not in (1, 2) or len(context) != len(rows):
                raise ValueError(
                    f"got a context of shape {context.shape} for a series of {len(rows)} steps; one row for each step "
                    "is needed: give (N, channels)"
                )
        self._known = [
            (rows, torch.as_tensor(context.reshape(len(rows), -1), device=rows.device)) for rows, context in known
        ]

    def __call__(self, inputs: Tensor) -> Tensor:
        """The context (1, N, channels) of the series (1, N, ...). Raises ValueError for a series that is not known."""
        for rows, context in self._known:
            if rows.shape == inputs.shape[1:] and torch.equal(rows, inputs[0]):
                return context.unsqueeze(0)
        raise ValueError(
            "an array was given as context and another series came; give its context as the third item of "
            "validation_data, or give a function"
        )


def _extractor(
    fitted: Fitted, context: Any, rows: Tensor, validation: tuple[Tensor, Any, Any] | None
) -> Extractor | None:
    """What the trainer asks for the context of rows; None where the rows themselves are the context."""
    if isinstance(context, np.ndarray):
        known = [(rows, context)]
        if validation is not None and validation[2] is not None and not fitted.context.columns:
            known.append((validation[0], np.asarray(validation[2], dtype=np.float32)))
        return SeriesContext(known)
    if fitted.input_scaler is None and not fitted.context.columns:
        return context
    return fitted.original if context is None else _InOriginalUnits(fitted, context)


class _InOriginalUnits:
    """A user's extractor that sees inputs in the units of X."""

    def __init__(self, fitted: Fitted, extractor: Extractor) -> None:
        self._fitted, self._extractor = fitted, extractor

    def __call__(self, inputs: Any) -> Any:
        if isinstance(inputs, Tensor):
            return self._extractor(self._fitted.original(inputs))
        return self._extractor(self._fitted.original(torch.from_numpy(inputs)).numpy())


def _warm_start(session: "Session", asked: Hisso, values: Floats, targets: Floats | None) -> list[dict[str, Any]]:
    given = dict(asked.warm_start or {})
    own = given.pop("y", None), given.pop("targets", None)
    chosen = next((item for item in own if item is not None), None)
    wanted = targets if chosen is None else check_targets(chosen, len(chosen), "hisso_supervised y")
    _check_warm_targets(wanted, rows=len(values), columns=session.fitted.outputs.columns)
    assert wanted is not None
    session.verbose, verbose = int(given.pop("verbose", session.verbose)), session.verbose
    course = session.supervised("warm start", {**given, "patience": None})
    session.verbose = verbose
    rows = session.fitted.rows(values, session.context)
    return course.run(session.fitted, _pair(session.fitted, rows, wanted), None)


def _pair(fitted: Fitted, rows: Tensor, targets: Floats) -> Pair:
    scaled = targets if fitted.target_scaler is None else fitted.target_scaler.scale(targets)
    return Pair(rows=rows, targets=torch.tensor(scaled, device=fitted.device))


def _check_warm_targets(targets: Floats | None, *, rows: int, columns: int) -> None:
    if targets is None:
        raise ValueError("got hisso_supervised without targets; give y to fit, or y in hisso_supervised")
    if targets.ndim != 2:
        raise ValueError(f"got warm-start targets of shape {targets.shape}; they must be (N, {columns}): reshape them")
    if len(targets) != rows:
        raise ValueError(f"got {len(targets)} warm-start targets for {rows} steps; give one for each step of X")
    if targets.shape[1] != columns:
        raise ValueError(
            f"got warm-start targets of {targets.shape[1]} columns for {columns} outputs; give as many, or set "
            "output_shape"
        )


def _entry(epoch: EpisodicEpoch) -> dict[str, Any]:
    return {
        "epoch": epoch.epoch,
        "reward": epoch.reward,
        "episodes": epoch.episodes,
        "updates": epoch.updates,
        "skipped": epoch.skipped,
        "validation": epoch.validation,
    }
