"""Parameters of an estimator, checked when it is fitted: what they resolve to, and what is not offered."""

import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from hotloop.estimators.options import Settings
from hotloop.models.state import StateConfig
from hotloop.train.episodic.callers import outside_level

if TYPE_CHECKING:
    from hotloop.estimators.scaling import Transformer

DEFAULT_UNITS = 64
_OPTIMIZERS = ("adam", "adamw", "sgd")
_RESETS = ("batch", "epoch", "none")
_FORMATS = ("channels_first", "channels_last")
_OLD_ACTIVATION_NAMES = {"slope_trainable": "slope_learnable"}


class Parameters(Protocol):
    """The parameters that all estimators share."""

    hidden_layers: int
    hidden_width: int | None
    hidden_units: int | None
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    weight_decay: float
    activation: Mapping[str, Any] | None
    device: str | torch.device
    random_state: Any
    early_stopping: bool
    patience: int
    num_workers: int
    loss: str | Callable[..., Any]
    loss_params: Mapping[str, Any] | None
    loss_reduction: str
    w0: float
    preserve_shape: bool
    data_format: Literal["channels_first", "channels_last"]
    conv_kernel_size: int
    conv_channels: int | None
    per_element: bool
    activation_type: str
    attention: Any
    stateful: bool
    state: StateConfig | Mapping[str, Any] | None
    state_reset: Literal["batch", "epoch", "none"]
    stream_lr: float | None
    output_shape: tuple[int, ...] | None
    lsm: Any
    lsm_train: bool
    lsm_pretrain_epochs: int
    lsm_lr: float | None
    warm_start: bool
    scaler: "str | Transformer | None"
    scaler_params: Mapping[str, Any] | None
    target_scaler: "str | Transformer | None"
    target_scaler_params: Mapping[str, Any] | None
    amp: bool
    amp_dtype: str | torch.dtype | None
    compile: bool
    compile_backend: str
    compile_mode: str
    compile_fullgraph: bool
    compile_dynamic: bool
    context_builder: str | Callable[..., Any] | None
    context_builder_params: Mapping[str, Any] | None


def check_parameters(given: Parameters) -> None:
    """Raise ValueError for a value that is not allowed or is not offered; warn for one without effect."""
    for name in ("hidden_layers", "epochs", "batch_size", "patience", "conv_kernel_size"):
        _check_count(name, getattr(given, name))
    for name in ("hidden_units", "hidden_width", "conv_channels"):
        if getattr(given, name) is not None:
            _check_count(name, getattr(given, name))
    _check_choice("optimizer", str(given.optimizer).lower(), _OPTIMIZERS)
    _check_choice("state_reset", given.state_reset, _RESETS)
    _check_choice("data_format", given.data_format, _FORMATS)
    _refuse_not_offered(given)
    if given.num_workers:
        _warn(f"num_workers={given.num_workers} has no effect: the data are on the device, nothing is loaded; give 0")


def settings_of(given: Parameters) -> Settings:
    """What both trainers share."""
    return {
        "epochs": int(given.epochs),
        "lr": _number("lr", given.lr),
        "lr_end": None,
        "optimizer": str(given.optimizer).lower(),  # pyright: ignore[reportReturnType]  # checked above
        "weight_decay": _number("weight_decay", given.weight_decay),
        "amp": _half_precision(given) if given.amp else None,
        "state_reset": given.state_reset if given.stateful else "none",
        "patience": int(given.patience) if given.early_stopping else None,
    }


def hidden_units(given: Parameters) -> int:
    """The width of hidden layers; `hidden_width` is its old name."""
    if given.hidden_width is not None:
        warnings.warn(
            "hidden_width is the old name of hidden_units; give hidden_units",
            DeprecationWarning,
            stacklevel=outside_level(),
        )
        if given.hidden_units is not None and given.hidden_units != given.hidden_width:
            _warn(f"hidden_units={given.hidden_units} is used, hidden_width={given.hidden_width} is not; give only one")
    width = given.hidden_width if given.hidden_units is None else given.hidden_units
    return DEFAULT_UNITS if width is None else int(width)


def activation_keywords(given: Parameters) -> dict[str, Any]:
    """The keywords of a network that describe its activations."""
    options = {_OLD_ACTIVATION_NAMES.get(key, key): value for key, value in (given.activation or {}).items()}
    return {"activation": given.activation_type, "activation_options": options}


def state_keywords(given: Parameters) -> dict[str, Any] | None:
    """How the state moves, as plain data; None for an estimator without state."""
    if given.state is None and not given.stateful:
        return None
    state = given.state
    fields = ("rho", "beta", "init", "max_abs", "detach")
    if isinstance(state, StateConfig):
        return {name: getattr(state, name) for name in fields}
    unknown = set(state or {}) - set(fields)
    if unknown:
        raise ValueError(f"got the keys {sorted(unknown)} in state; allowed are {', '.join(fields)}: leave them out")
    return dict(state or {})


def refuse_state(given: Parameters, network: str) -> None:
    """Raise ValueError where a state was asked of a network that keeps none."""
    if given.stateful or given.state is not None:
        raise ValueError(
            f"got stateful={given.stateful}, state={given.state!r}, but {network} keeps no state; leave both out, or "
            "use PSANNRegressor without preserve_shape"
        )


def chosen_device(given: Parameters) -> torch.device:
    """The device to train on; "auto" is CUDA where there is one."""
    if given.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(given.device)


def warn_without_effect(given: object, names: Mapping[str, Any], reason: str) -> None:
    """Warn for each parameter that differs from its default and does nothing here."""
    for name, default in names.items():
        if getattr(given, name) != default:
            _warn(f"{name}={getattr(given, name)!r} has no effect on {type(given).__name__}: {reason}; leave it out")


def _half_precision(given: Parameters) -> Literal["bfloat16", "float16"]:
    name = str(given.amp_dtype).removeprefix("torch.")
    name = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "None": "bfloat16"}.get(name, name)
    _check_choice("amp_dtype", name, ("bfloat16", "float16"))
    return "float16" if name == "float16" else "bfloat16"


def _refuse_not_offered(given: Parameters) -> None:
    kind = getattr(given.attention, "kind", None)
    if isinstance(given.attention, Mapping):
        kind = given.attention.get("kind", "none")
    if given.attention is not None and kind != "none":
        raise ValueError("got attention; this package has no attention in front of its networks: leave it out")
    for name, default in {"lsm": None, "lsm_train": False, "lsm_pretrain_epochs": 0, "lsm_lr": None}.items():
        if getattr(given, name) != default:
            raise ValueError(
                f"got {name}={getattr(given, name)!r}; liquid-state expanders are not offered: leave it out, and put a "
                "fitted transformer in front by a Pipeline"
            )


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"got {name}={value!r}; whole numbers from 1 on are allowed: give for instance 1")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"got {name}={value!r}; choose one of {', '.join(known)}")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"got {name}={value!r}; a number is allowed: give for instance 1e-3")
    return float(value)


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=outside_level())
