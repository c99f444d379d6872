"""From the parameters of an estimator to what its trainers, its compiler and its random generators are told."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from hotloop.estimators import old_names
from hotloop.estimators.checks import check_choice, check_number
from hotloop.estimators.fit_params import FitParams
from hotloop.estimators.parameters import NetParameters
from hotloop.train.episodic import SupervisedOptions


def shared_options(given: NetParameters, *, epochs: int | None = None) -> dict[str, Any]:
    """Options that training on targets and on episodes take alike; `epochs` overrides the estimator's own number."""
    dtype = str(given.amp_dtype).removeprefix("torch.")
    half_precision = old_names.HALF_PRECISIONS.get(dtype, dtype)
    if given.amp:
        check_choice("amp_dtype", half_precision, ("bfloat16", "float16"))
    return {
        "epochs": int(given.epochs) if epochs is None else epochs,
        "lr": check_number("lr", given.lr),
        "optimizer": str(given.optimizer).lower(),
        "weight_decay": check_number("weight_decay", given.weight_decay),
        "amp": half_precision if given.amp else None,
        "state_reset": given.state_reset if given.stateful else "none",
        "patience": int(given.patience) if given.early_stopping else None,
    }


def supervised_options(
    given: NetParameters, shared: Mapping[str, Any], overrides: Mapping[str, Any]
) -> SupervisedOptions:
    """Options of training on targets; a state that lives longer than a batch keeps the rows in order."""
    in_order = given.stateful and given.state_reset in ("epoch", "none")
    own: dict[str, Any] = {
        "batch_size": int(given.batch_size),
        "clip_norm": given.largest_gradient(),
        "shuffle": not in_order,
    }
    return SupervisedOptions(**{**shared, **own, **overrides})


def learning_rates(params: FitParams) -> dict[str, float]:
    """The learning rate of the first and the last epoch, where fit was given both; else nothing."""
    first, last = params.get("lr_max"), params.get("lr_min")
    if first is None and last is None:
        return {}
    if first is None or last is None or not 0 < last <= first:
        raise ValueError(
            f"got lr_max={first} and lr_min={last}; the rate goes from the one down to the other, so both are needed, "
            "above 0 and in this order: give both, or neither"
        )
    return {"lr": float(first), "lr_end": float(last)}


def compile_keywords(given: NetParameters) -> dict[str, Any] | None:
    """Keywords of torch.compile; None where nothing is to be compiled."""
    if not given.compile:
        return None
    return {
        "backend": given.compile_backend,
        "mode": None if given.compile_mode == "default" else given.compile_mode,
        "fullgraph": given.compile_fullgraph,
        "dynamic": given.compile_dynamic or None,
    }


def chosen_device(given: NetParameters) -> torch.device:
    """The device to train on; "auto" is CUDA where there is one."""
    if given.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(given.device)


def chosen_seed(given: NetParameters) -> int | None:
    """The seed of this fit; None draws from torch's generators as they are."""
    if given.random_state is None:
        return None
    if isinstance(given.random_state, (int, np.integer)):
        return int(given.random_state)
    return int(check_random_state(given.random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Generator[None]:
    """Draw from torch's generators as after manual_seed(seed), and put them back; with None, just draw."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
