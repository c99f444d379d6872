"""One call of fit, turned into the request that a trainer takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hotloop.estimators.arrays import check_more_inputs, check_targets
from hotloop.estimators.episode_settings import EpisodeSettings, episode_settings
from hotloop.estimators.fit_params import FitParams
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.losses import build_loss
from hotloop.estimators.old_names import warm_start_targets
from hotloop.estimators.options import (
    compile_keywords,
    learning_rates,
    shared_options,
    supervised_options,
)
from hotloop.estimators.parameters import NetParameters
from hotloop.estimators.request import FitRequest, Learned, Supervision, ValidationRows
from hotloop.estimators.shapes import Floats
from hotloop.train.checkpoint import CheckpointRecorder


@dataclass(frozen=True, kw_only=True)
class FitCall:
    """Parameters, keywords and arrays of one call, checked, and the network that it trains.

    `epochs` overrides the number of the parameters.
    """

    given: NetParameters
    params: FitParams
    network: Fitted
    X: Floats
    targets: Floats | None
    epochs: int | None = None

    def request(
        self, *, seed: int | None, recorder: CheckpointRecorder | None, on_start: Callable[[Learned], None] | None
    ) -> FitRequest:
        """What the trainer takes. Raises ValueError for keywords that are not allowed or do not fit the arrays."""
        episodes = self._episodes() if self.params.get("hisso") else None
        return FitRequest(
            network=self.network,
            rows=self.network.rows(self.X, self.params.get("context")),
            supervision=self._fit() if episodes is None else self._warm_start(episodes.warm_start),
            episodes=episodes,
            validation=self._validation(needs_targets=episodes is None),
            compile=compile_keywords(self.given),
            seed=seed,
            verbose=self._verbose,
            recorder=recorder,
            on_start=on_start,
        )

    def _episodes(self) -> EpisodeSettings:
        outputs = self.network.outputs
        if outputs.per_element:
            raise ValueError(
                "got per_element=True with hisso=True; an action is one row of outputs a step: leave it out"
            )
        shared = {**self._shared, **learning_rates(self.params)}
        return episode_settings(self.params, shared, columns=outputs.columns)

    def _fit(self) -> Supervision:
        assert self.targets is not None
        noise = _noise(self.params.get("noisy"), self.network)
        return self._supervision(
            "fit", self.network.targets(self.targets), learning_rates(self.params), noise=noise, verbose=self._verbose
        )

    def _warm_start(self, settings: Mapping[str, Any] | None) -> Supervision | None:
        if settings is None:
            return None
        own = warm_start_targets(settings)
        targets = self.targets if own is None else check_targets(own, len(own), "hisso_supervised y")
        overrides = {name: value for name, value in settings.items() if name not in ("y", "targets", "verbose")}
        verbose = int(settings.get("verbose", self._verbose))
        return self._supervision(
            "warm start", self._scaled_steps(targets), {**overrides, "patience": None}, verbose=verbose
        )

    def _supervision(
        self, title: str, targets: Tensor, overrides: Mapping[str, Any], *, noise: Tensor | None = None, verbose: int
    ) -> Supervision:
        given = self.given
        return Supervision(
            title=title,
            targets=targets,
            options=supervised_options(given, self._shared, overrides),
            criterion=build_loss(given.loss, given.loss_params, given.loss_reduction),
            noise=noise,
            verbose=verbose,
        )

    def _scaled_steps(self, targets: Floats | None) -> Tensor:
        """Targets of the warm start, one row a step and one column an output, in the scale of the network."""
        columns = self.network.outputs.columns
        if targets is None:
            raise ValueError("got hisso_supervised without targets; give y to fit, or y in hisso_supervised")
        if targets.ndim != 2:
            raise ValueError(
                f"got warm-start targets of shape {targets.shape}; they must be (N, {columns}): reshape them"
            )
        if len(targets) != len(self.X):
            raise ValueError(
                f"got {len(targets)} warm-start targets for {len(self.X)} steps; give one for each step of X"
            )
        if targets.shape[1] != columns:
            raise ValueError(
                f"got warm-start targets of {targets.shape[1]} columns for {columns} outputs; give as many, or set "
                "output_shape"
            )
        return self.network.scaled_targets(targets)

    def _validation(self, *, needs_targets: bool) -> ValidationRows | None:
        given: Any = self.params.get("validation_data")
        if given is None:
            return None
        if not isinstance(given, Sequence) or not 1 <= len(given) <= 3:
            raise ValueError(
                f"got validation_data of type {type(given).__name__}; allowed are (X, y) and (X, y, context): give a "
                "tuple"
            )
        X, y, context = (*given, None, None)[:3]
        values = check_more_inputs(X, "validation X")
        is_of_network = bool(self.network.context.columns)
        rows = self.network.rows(values, context if is_of_network else None)
        if not needs_targets:
            return ValidationRows(rows=rows, context=None if is_of_network else context)
        if y is None:
            raise ValueError("got validation_data without targets; give (X, y), or (X, y, context)")
        return ValidationRows(rows=rows, targets=self.network.targets(check_targets(y, len(rows), "validation y")))

    @property
    def _shared(self) -> dict[str, Any]:
        return shared_options(self.given, epochs=self.epochs)

    @property
    def _verbose(self) -> int:
        return int(self.params.get("verbose") or 0)


def _noise(noisy: Any, network: Fitted) -> Tensor | None:
    """The standard deviation of noise for a row of the network; context columns get none."""
    if noisy is None or not np.any(noisy):
        return None
    std, row = np.asarray(noisy, dtype=np.float32), network.inputs.row
    if not (np.isfinite(std).all() and (std >= 0).all()) or (std.ndim and std.shape != row):
        raise ValueError(
            f"got noisy of shape {std.shape}; a standard deviation from 0 on is allowed, or one for each number of a "
            f"row {row}: give a number"
        )
    laid = network.inputs.lay_out(np.broadcast_to(std, row)[None].astype(np.float32))
    quiet = np.zeros((1, network.context.columns, *laid.shape[2:]), dtype=np.float32)
    return torch.from_numpy(np.concatenate([laid, quiet], axis=1)).to(network.device)
