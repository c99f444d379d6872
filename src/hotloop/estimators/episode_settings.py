"""How episodes are drawn and scored, from the keywords of fit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hotloop import registry
from hotloop.estimators import old_names
from hotloop.estimators.checks import check_count
from hotloop.estimators.fit_params import Extractor, FitParams, Reward, WarmStart
from hotloop.train.episodic import EpisodicOptions

_COUNTS = ("window", "batch_episodes", "updates_per_epoch", "clip_every")


@dataclass(frozen=True, kw_only=True)
class EpisodeSettings:
    """How episodes are drawn and scored.

    `reward` None is the default one. `context` is what the extractor was: a function, an array with one row a step, or
    None for the inputs themselves. `warm_start` is what training on targets before the episodes was told.
    """

    options: EpisodicOptions
    reward: Callable[..., Any] | None
    context: Extractor | np.ndarray[Any, Any] | None
    warm_start: Mapping[str, Any] | None = None


def episode_settings(params: FitParams, shared: Mapping[str, Any], *, columns: int) -> EpisodeSettings:
    """The settings for a network of `columns` outputs; `shared` are options that every trainer takes.

    Raises ValueError for counts below 1, unknown names, and a softmax over one output.
    """
    context = chosen_context(params.get("hisso_context_extractor"))
    is_array = isinstance(context, np.ndarray)
    given: dict[str, Any] = {
        **_counts(params),
        "primary_transform": params.get("hisso_primary_transform"),
        "transition_penalty": _penalty(params),
        "input_noise_std": _noise(params.get("noisy")),
        "state_updates": params.get("hisso_state_updates"),
        "context_mode": "per_series" if is_array else params.get("hisso_context_mode"),
        "check_context": not is_array,
        "compile": _compile(params.get("hisso_compile")),
    }
    options = EpisodicOptions(
        **shared,
        **{name: value for name, value in given.items() if value is not None},  # the rest by its default
        clip_norm=_clip_norm(params.get("hisso_grad_clip_norm")),
    )
    if options.primary_transform == "softmax" and columns == 1:
        raise ValueError(
            "got a softmax over one output, which is always 1 and trains nothing; give y or output_shape with at least "
            "two columns, or hisso_primary_transform='tanh' or 'identity'"
        )
    return EpisodeSettings(
        options=options,
        reward=chosen_reward(params.get("hisso_reward_fn")),
        context=context,
        warm_start=_warm_start(params.get("hisso_supervised")),
    )


def chosen_reward(reward: Reward | str | None) -> Reward | None:
    """The reward itself, or the one that is registered under a name. Raises RegistryError for an unknown name."""
    if not isinstance(reward, str):
        return reward
    found = registry.load("rewards", reward)
    return found() if isinstance(found, type) else found


def chosen_context(extractor: Extractor | ArrayLike | None) -> Extractor | np.ndarray[Any, Any] | None:
    """A function as it is; anything else as an array with one row a step."""
    is_data = extractor is not None and not callable(extractor)
    return np.asarray(extractor, dtype=np.float32) if is_data else extractor  # pyright: ignore[reportReturnType]


def _counts(params: FitParams) -> dict[str, int]:
    given: Mapping[str, Any] = params
    counts = {name: given.get(f"hisso_{name}") for name in _COUNTS}
    return {
        name: check_count(f"hisso_{name}", value, advice="leave it out for the default")
        for name, value in counts.items()
        if value is not None
    }


def _penalty(params: FitParams) -> float:
    value = old_names.transition_penalty(params.get("hisso_transition_penalty"), params.get("hisso_trans_cost"))
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
    if value is None or isinstance(value, bool):
        return "model" if value else "off"
    if value not in ("model", "step"):
        raise ValueError(f"got hisso_compile={value!r}; allowed are False, True, 'model' and 'step': name one")
    return value


def _warm_start(given: Any) -> Mapping[str, Any] | None:
    if not given:
        return None
    settings = {} if given is True else dict(given)
    unknown = set(settings) - set(WarmStart.__annotations__)
    if unknown:
        raise ValueError(
            f"got the keys {sorted(unknown)} in hisso_supervised; allowed are "
            f"{', '.join(sorted(WarmStart.__annotations__))}: leave the others out"
        )
    return settings
