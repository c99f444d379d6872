"""Parameters checked when an estimator is fitted: what is allowed, what is not offered, what has no effect."""

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

from hotloop.estimators.parameters import NetParameters
from hotloop.train.callers import warn

_COUNTS = ("hidden_layers", "epochs", "batch_size", "patience", "conv_kernel_size")
_COUNTS_OR_NONE = ("hidden_units", "hidden_width", "conv_channels")
_LIQUID_STATE = ("lsm", "lsm_train", "lsm_pretrain_epochs", "lsm_lr")


def check_parameters(given: NetParameters) -> None:
    """Raise ValueError for a value that is not allowed or is not offered; warn for one without effect."""
    for name in (*_COUNTS, *(name for name in _COUNTS_OR_NONE if getattr(given, name) is not None)):
        check_count(name, getattr(given, name), advice="give for instance 1")
    check_choice("optimizer", str(given.optimizer).lower(), ("adam", "adamw", "sgd"))
    check_choice("state_reset", given.state_reset, ("batch", "epoch", "none"))
    check_choice("data_format", given.data_format, ("channels_first", "channels_last"))
    _refuse_not_offered(given)
    if given.num_workers:
        warn(f"num_workers={given.num_workers} has no effect: the data are on the device, nothing is loaded; give 0")


def check_count(name: str, value: Any, *, advice: str) -> int:
    """`value` as an int. Raises ValueError for anything but a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"got {name}={value!r}; whole numbers from 1 on are allowed: {advice}")
    return int(value)


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is not known."""
    if value not in known:
        raise ValueError(f"got {name}={value!r}; choose one of {', '.join(known)}")


def check_number(name: str, value: Any) -> float:
    """`value` as a float. Raises ValueError for anything but a number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"got {name}={value!r}; a number is allowed: give for instance 1e-3")
    return float(value)


def refuse_state(given: NetParameters, network: str) -> None:
    """Raise ValueError where a state was asked of a network that keeps none."""
    if given.stateful or given.state is not None:
        raise ValueError(
            f"got stateful={given.stateful}, state={given.state!r}, but {network} keeps no state; leave both out, or "
            "use PSANNRegressor without preserve_shape"
        )


def warn_without_effect(given: NetParameters, names: tuple[str, ...], reason: str) -> None:
    """Warn for each of the parameters that differs from its default and does nothing here."""
    for name in _changed(given, names):
        warn(f"{name}={getattr(given, name)!r} has no effect on {type(given).__name__}: {reason}; leave it out")


def _refuse_not_offered(given: NetParameters) -> None:
    attention = given.attention
    kind = attention.get("kind", "none") if isinstance(attention, Mapping) else getattr(attention, "kind", None)
    if attention is not None and kind != "none":
        raise ValueError("got attention; this package has no attention in front of its networks: leave it out")
    for name in _changed(given, _LIQUID_STATE):
        raise ValueError(
            f"got {name}={getattr(given, name)!r}; liquid-state expanders are not offered: leave it out, and put a "
            "fitted transformer in front by a Pipeline"
        )


def _changed(given: NetParameters, names: tuple[str, ...]) -> list[str]:
    defaults = {field.name: field.default for field in fields(given)}
    return [name for name in names if getattr(given, name) != defaults[name]]
