"""The fits that parity.py compares, and a worker that does all of them with one package.

Needs NumPy, torch and the package it fits with, and nothing of hotloop where that is the peer. The answer is one JSON
document on stdout; what the package prints goes to stderr.
"""

import importlib
import json
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SEED = 7
EPOCHS = 3
_WARM = {"hisso_supervised": {"epochs": 2, "batch_size": 128}}
_EPISODES = {"hisso": True, "hisso_window": 32, "hisso_primary_transform": "tanh"}
_COMPAT = {**_EPISODES, "hisso_batch_episodes": 1, "hisso_updates_per_epoch": 32}
_BATCHED = {**_EPISODES, "hisso_batch_episodes": 8, "hisso_updates_per_epoch": 4}
_SIZE = {"hidden_layers": 2, "hidden_units": 64}
_CONV = {"hidden_layers": 2, "conv_channels": 16, "conv_kernel_size": 3}
_STILL = {"first_layer_w0_initial": None, "hidden_w0_initial": None, "w0_warmup_epochs": 0, "grad_clip_norm": None}

DIFFERENT_NETWORK = "psann flattens the rows and trains its dense network; hotloop trains convolutions"
MOVING_SCHEDULE = (
    "with episodes, w0 warms up and the warm start clips gradients in hotloop; neither happens in psann (the fits with "
    "w0 fixed and no clipping agree)"
)
OTHER_ORDER = "psann trains on rows flattened channels first and predicts from rows flattened channels last"


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One fit under both packages. `differs` says why the two are not the same computation; None where they are.

    `theirs` names what makes the peer's estimator where that is not the class `target`, and `their_params` what its
    keywords are where they are not `params`. `predictions_differ` says why only the predictions do.
    """

    target: str
    params: Mapping[str, Any]
    data: str = "rows"
    fit: Mapping[str, Any] = field(default_factory=dict[str, Any])
    theirs: str | None = None
    their_params: Mapping[str, Any] | None = None
    differs: str | None = None
    predictions_differ: str | None = None


def _by_network() -> dict[str, Fit]:
    """Supervised, and episodes with and without a warm start, for each network."""
    networks = {
        "dense": ("PSANNRegressor", "rows", _SIZE),
        "residual": ("ResPSANNRegressor", "rows", _SIZE),
        "conv residual": ("ResConvPSANNRegressor", "pictures", {"hidden_layers": 2, "conv_channels": 16}),
        "wave": ("WaveResNetRegressor", "rows", _SIZE),
        "wave, w0 fixed, no clipping": ("WaveResNetRegressor", "rows", {**_SIZE, **_STILL}),
    }
    kinds: dict[str, dict[str, Any]] = {
        "supervised": {},
        "episodes B=1 U=32": _COMPAT,
        "warm start, episodes B=1 U=32": {**_COMPAT, **_WARM},
        "warm start, episodes B=8 U=4": {**_BATCHED, **_WARM},
    }
    return {
        f"{network}: {kind}": Fit(
            target=target,
            params=params,
            data=data,
            fit=fit,
            differs=MOVING_SCHEDULE if network == "wave" and fit else None,
        )
        for network, (target, data, params) in networks.items()
        for kind, fit in kinds.items()
    }


def _dense(params: Mapping[str, Any], fit: Mapping[str, Any] | None = None) -> Fit:
    return Fit(target="PSANNRegressor", params={**_SIZE, **params}, fit=fit or {})


def _options() -> dict[str, Fit]:
    """One option of the dense network at a time."""
    state = {"stateful": True, "state": {"rho": 0.9}}
    return {
        "huber loss": _dense({"loss": "huber"}),
        "AdamW": _dense({"optimizer": "adamw", "weight_decay": 0.01}),
        "standard scaler, huber, AdamW": _dense(
            {"scaler": "standard", "loss": "huber", "optimizer": "adamw", "weight_decay": 0.01}
        ),
        "minmax scaler, standard target scaler": _dense({"scaler": "minmax", "target_scaler": "standard"}),
        "standard scaler: warm start, episodes B=8 U=4": _dense({"scaler": "standard"}, {**_BATCHED, **_WARM}),
        "softmax: episodes B=8 U=4": _dense({}, {**_BATCHED, "hisso_primary_transform": "softmax"}),
        "learning rate from 1e-2 to 1e-3": _dense({}, {"lr_max": 1e-2, "lr_min": 1e-3}),
        "stateful, reset by batch": _dense({**state, "state_reset": "batch"}),
        "stateful, reset by epoch": _dense({**state, "state_reset": "epoch"}),
        "stateful: episodes B=1 U=32": _dense({**state, "state_reset": "epoch"}, _COMPAT),
        "relu_sigmoid activation": _dense({"activation_type": "relu_sigmoid_psann"}),
    }


def _preserved() -> dict[str, Fit]:
    """Positions preserved: convolutions here, by element or (with a maker of its own) pooled in the peer."""
    kept = {**_CONV, "preserve_shape": True}
    pooled: dict[str, Any] = {"target": "PSANNRegressor", "params": kept}
    stem: dict[str, Any] = {**pooled, "theirs": "PSANNRegressor.with_conv_stem", "their_params": _CONV}
    by_element: dict[str, Any] = {"target": "PSANNRegressor", "params": {**kept, "per_element": True}}
    return {
        "preserve_shape, 1d: supervised": Fit(**stem, data="sequences"),
        "preserve_shape, 2d: supervised": Fit(**stem, data="pictures"),
        "preserve_shape, 3d: supervised": Fit(**stem, data="volumes"),
        "preserve_shape, 2d: warm start, episodes B=8 U=4": Fit(**stem, data="pictures", fit={**_BATCHED, **_WARM}),
        "preserve_shape, per_element, 1d: supervised": Fit(**by_element, data="sequences by element"),
        "preserve_shape, per_element, 2d: supervised": Fit(**by_element, data="pictures by element"),
        "no preserve_shape here, preserve_shape there: supervised": Fit(
            target="PSANNRegressor",
            params=_SIZE,
            data="pictures",
            their_params={**_SIZE, "preserve_shape": True},
            predictions_differ=OTHER_ORDER,
        ),
        "preserve_shape under both: supervised": Fit(**pooled, data="pictures", differs=DIFFERENT_NETWORK),
    }


def fits() -> dict[str, Fit]:
    """All fits by title."""
    return {**_by_network(), **_options(), **_preserved()}


def make_data(kind: str) -> tuple[Any, Any]:
    """X and y of one of the kinds that Fit.data names: Gaussian noise, the same in every process."""
    shape, _, by_element = kind.partition(" by ")
    length, channels, positions = {
        "rows": (300, 8, ()),
        "sequences": (128, 2, (8,)),
        "pictures": (128, 2, (8, 8)),
        "volumes": (128, 2, (3, 4, 5)),
    }[shape]
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(length, channels, *positions))
    y = rng.normal(size=(length, 3, *(positions if by_element else ())))
    return X.astype(np.float32), y.astype(np.float32)


def run(package: str, fit: Fit) -> dict[str, Any]:
    """The loss or the reward of each epoch, and the predictions for the first eight rows."""
    is_peer = package != "hotloop"
    made: Any = importlib.import_module("psann" if is_peer else "hotloop.estimators")
    for name in ((fit.theirs if is_peer else None) or fit.target).split("."):
        made = getattr(made, name)
    params = fit.their_params if is_peer and fit.their_params is not None else fit.params
    X, y = make_data(fit.data)
    estimator = made(**params, random_state=SEED, epochs=EPOCHS, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both packages warn of what they do not honour; figures are compared here
        estimator.fit(X, y, **fit.fit)
    values = [entry["reward"] if "reward" in entry else entry["train_loss"] for entry in estimator.history_]
    return {
        "epochs": [float(value) for value in values],
        "predictions": np.asarray(estimator.predict(X[:8]), dtype=float).ravel().tolist(),
    }


def main() -> None:
    """Do all fits with the package named by the first argument."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    package = sys.argv[1]
    from importlib.metadata import version

    about = {"package": package, "version": version(package), "torch": torch.__version__, "numpy": np.__version__}
    done = {title: run(package, fit) for title, fit in fits().items()}
    json.dump({"about": about, "fits": done}, answers)
    answers.close()


if __name__ == "__main__":
    main()
