"""What a call of fit asks for, checked, and turned into options of the two trainers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from hotloop.train.episodic import EpisodicOptions
from hotloop.train.episodic.callers import outside_level

Extractor = Callable[[Any], Any]


class WarmStart(TypedDict, total=False):
    """Keys of `hisso_supervised`: what differs from the estimator's own settings in the warm start."""

    y: ArrayLike
    targets: ArrayLike
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    shuffle: bool
    verbose: int


class FitParams(TypedDict, total=False):
    """Keyword parameters of `fit`, for callers that build them as a dict: `model.fit(X, y, **params)`."""

    context: ArrayLike | None
    validation_data: tuple[Any, ...] | None
    verbose: int
    noisy: float | ArrayLike | None
    lr_max: float | None
    lr_min: float | None
    hisso: bool
    hisso_window: int | None
    hisso_batch_episodes: int | None
    hisso_updates_per_epoch: int | None
    hisso_reward_fn: Callable[..., Any] | str | None
    hisso_context_extractor: Extractor | ArrayLike | None
    hisso_primary_transform: Literal["identity", "softmax", "tanh"] | None
    hisso_transition_penalty: float | None
    hisso_trans_cost: float | None
    hisso_supervised: WarmStart | bool | None
    hisso_grad_clip_norm: float | None
    hisso_clip_every: int
    hisso_state_updates: bool | None
    hisso_context_mode: Literal["per_batch", "per_series"]
    hisso_compile: bool | Literal["model", "step"] | None


class Settings(TypedDict):
    """The part of an estimator's parameters that both trainers share, checked."""

    epochs: int
    lr: float
    lr_end: float | None
    optimizer: Literal["adam", "adamw", "sgd"]
    weight_decay: float
    amp: Literal["bfloat16", "float16"] | None
    state_reset: Literal["batch", "epoch", "none"]
    patience: int | None


@dataclass(frozen=True, kw_only=True)
class Hisso:
    """How episodes are drawn and scored, resolved from a call of fit.

    `reward` None is the default one. `context` is what the extractor was: a function, an array with one row a step, or
    None for the inputs themselves.
    """

    options: EpisodicOptions
    reward: Callable[..., Any] | None
    context: Extractor | np.ndarray[Any, Any] | None
    warm_start: Mapping[str, Any] | None = None


def resolve_hisso(params: FitParams, settings: Settings, *, columns: int) -> Hisso:
    """The episodic part of a call of fit for a network of `columns` outputs.

    Raises ValueError for counts below 1, unknown names, and a softmax over one output.
    """
    primary = params.get("hisso_primary_transform") or "softmax"
    if primary == "softmax" and columns == 1:
        raise ValueError(
            "got a softmax over one output, which is always 1 and trains nothing; give y or output_shape with at least "
            "two columns, or hisso_primary_transform='tanh' or 'identity'"
        )
    extractor = params.get("hisso_context_extractor")
    is_array = extractor is not None and not callable(extractor)
    counts: Any = _counts(params)
    options = EpisodicOptions(
        **settings,
        **counts,
        window=_count(params.get("hisso_window"), "hisso_window") or 64,
        primary_transform=primary,
        transition_penalty=_penalty(params),
        input_noise_std=_noise(params.get("noisy")),
        clip_norm=_clip_norm(params.get("hisso_grad_clip_norm", 1.0)),
        clip_every=_count(params.get("hisso_clip_every", 1), "hisso_clip_every") or 1,
        state_updates=params.get("hisso_state_updates"),
        context_mode="per_series" if is_array else params.get("hisso_context_mode", "per_batch"),
        check_context=not is_array,
        compile=_compile(params.get("hisso_compile")),
    )
    context = np.asarray(extractor, dtype=np.float32) if is_array else extractor
    warm = params.get("hisso_supervised")
    return Hisso(
        options=options,
        reward=chosen_reward(params.get("hisso_reward_fn")),
        context=context,  # pyright: ignore[reportArgumentType]
        warm_start=None if not warm else _warm_start({} if warm is True else warm),
    )


def _counts(params: FitParams) -> dict[str, int | None]:
    return {
        "batch_episodes": _count(params.get("hisso_batch_episodes"), "hisso_batch_episodes"),
        "updates_per_epoch": _count(params.get("hisso_updates_per_epoch"), "hisso_updates_per_epoch"),
    }


def _count(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"got {name}={value!r}; whole numbers from 1 on are allowed: leave it out for the default")
    return int(value)


def _penalty(params: FitParams) -> float:
    penalty, cost = params.get("hisso_transition_penalty"), params.get("hisso_trans_cost")
    if cost is not None:
        import warnings

        warnings.warn(
            "hisso_trans_cost is the old name of hisso_transition_penalty, and is not used where that is given; "
            "give hisso_transition_penalty",
            DeprecationWarning,
            stacklevel=outside_level(),
        )
    value = cost if penalty is None else penalty
    if value is None:
        return 0.0
    if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
        raise ValueError(f"got the transition penalty {value!r}; it must be a number from 0 on: give 0 for none")
    return float(value)


def _noise(noisy: Any) -> float | None:
    if noisy is None or (np.ndim(noisy) == 0 and float(noisy) == 0.0):
        return None
    if np.ndim(noisy) != 0:
        raise ValueError(
            f"got noisy of shape {np.shape(noisy)} with hisso=True; episodes take one standard deviation for all "
            "inputs: give a number"
        )
    return float(noisy)


def _clip_norm(value: float | None) -> float | None:
    """None and 0 turn clipping off."""
    if value is None or value == 0:
        return None
    if not value > 0 or not math.isfinite(value):
        raise ValueError(f"got hisso_grad_clip_norm={value}; numbers above 0 are allowed, or None or 0 for no clipping")
    return float(value)


def _compile(value: bool | str | None) -> Literal["off", "model", "step"]:
    known: dict[Any, Literal["off", "model", "step"]] = {None: "off", False: "off", True: "model"}
    known |= {"model": "model", "step": "step"}
    if value not in known:
        raise ValueError(f"got hisso_compile={value!r}; allowed are False, True, 'model' and 'step': name one")
    return known[value]


def chosen_reward(reward: Callable[..., Any] | str | None) -> Callable[..., Any] | None:
    """The reward itself, or the one that is registered under a name. Raises RegistryError for an unknown name."""
    if not isinstance(reward, str):
        return reward
    from hotloop import registry

    found = registry.load("rewards", reward)
    return found() if isinstance(found, type) else found


_WARM_KEYS = frozenset(WarmStart.__annotations__)


def _warm_start(given: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = set(given) - _WARM_KEYS
    if unknown:
        raise ValueError(
            f"got the keys {sorted(unknown)} in hisso_supervised; allowed are {', '.join(sorted(_WARM_KEYS))}: leave "
            "the others out"
        )
    return dict(given)
