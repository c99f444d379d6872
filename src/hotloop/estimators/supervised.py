"""Training on targets, from the settings of an estimator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hotloop.estimators.fitted import Fitted
from hotloop.estimators.losses import Criterion
from hotloop.estimators.network import NoisyInputs, continued
from hotloop.estimators.progress import Progress
from hotloop.train.episodic import SupervisedOptions, train_supervised
from hotloop.train.epochs import Epoch


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Rows for a network and targets in its scale."""

    rows: Tensor
    targets: Tensor


@dataclass(frozen=True, kw_only=True)
class Course:
    """One supervised run; `wrap` is what stands around the network while it trains, `noise` its input noise."""

    options: SupervisedOptions
    criterion: Criterion
    wrap: Callable[[nn.Module], nn.Module]
    noise: Any = None
    verbose: int = 0
    title: str = "fit"

    def run(self, fitted: Fitted, pair: Pair, validation: Pair | None) -> list[dict[str, Any]]:
        """The history, one entry an epoch; the network is trained in place.

        Early stopping without validation data watches the loss on all training rows after each epoch.
        """
        watched = pair if validation is None and self.options.patience is not None else validation
        model = self.wrap(_with_noise(continued(fitted.net), self.noise, fitted))
        with Progress(self.title, epochs=self.options.epochs, verbose=self.verbose) as progress:
            run = train_supervised(
                model,
                pair.rows,
                pair.targets,
                self.options,
                criterion=self.criterion,
                validation=None if watched is None else (watched.rows, watched.targets),
                on_epoch=lambda epoch: progress.show(epoch.number, loss=epoch.loss, val_loss=epoch.validation),
            )
        fitted.net.eval()
        return [entry(epoch) for epoch in run.history]


def entry(epoch: Epoch) -> dict[str, Any]:
    """One epoch as history keeps it."""
    return {
        "epoch": epoch.number,
        "train_loss": epoch.loss,
        "val_loss": epoch.validation,
        "steps": epoch.updates,
        "skipped": epoch.skipped,
    }


def compiled(settings: Mapping[str, Any]) -> Callable[[nn.Module], nn.Module]:
    """What compiles a network with `settings`; the result has the network's own parameters."""

    def wrap(net: nn.Module) -> nn.Module:
        module = torch.compile(net, **settings)
        if not isinstance(module, nn.Module):
            raise TypeError(f"torch.compile returned {type(module).__name__}; a module is needed: use another backend")
        return module

    return wrap


def uncompiled(net: nn.Module) -> nn.Module:
    """The network itself."""
    return net


def _with_noise(net: nn.Module, noise: Any, fitted: Fitted) -> nn.Module:
    if noise is None or not np.any(noise):
        return net
    std = np.asarray(noise, dtype=np.float32)
    if not (np.isfinite(std).all() and (std >= 0).all()) or (std.ndim and std.shape != fitted.inputs.row):
        raise ValueError(
            f"got noisy of shape {std.shape}; a standard deviation from 0 on is allowed, or one for each number of a "
            f"row {fitted.inputs.row}: give a number"
        )
    row = fitted.inputs.lay_out(np.broadcast_to(std, fitted.inputs.row)[None].astype(np.float32))
    quiet = np.zeros((1, fitted.context.columns, *row.shape[2:]), dtype=np.float32)
    return NoisyInputs(net, torch.from_numpy(np.concatenate([row, quiet], axis=1)).to(fitted.device))
