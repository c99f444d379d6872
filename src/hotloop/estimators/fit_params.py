"""The keywords of `fit`: names, defaults and meaning, declared here and nowhere else."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, TypeVar

from numpy.typing import ArrayLike

from hotloop.train.episodic import EpisodicOptions

Extractor = Callable[[Any], Any]
Reward = Callable[..., Any]
Function = TypeVar("Function", bound=Callable[..., Any])


class WarmStart(TypedDict, total=False):
    """Keys of `hisso_supervised`: what differs from the estimator's own parameters in the warm start."""

    y: ArrayLike
    targets: ArrayLike  # old name of y
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    shuffle: bool
    verbose: int


class FitParams(TypedDict, total=False):
    """Keyword parameters of `fit`, for callers that build them as a dict: `model.fit(X, y, **params)`.

    What is left out is None, except for DEFAULTS.
    """

    context: ArrayLike | None  # one row for each row of X, which conditions the network
    validation_data: tuple[Any, ...] | None  # (X, y) or (X, y, context); y may be None with `hisso`
    verbose: int  # 1: a bar on stderr, 2: also a line an epoch
    noisy: float | ArrayLike | None  # standard deviation of noise on the inputs
    lr_max: float | None  # learning rate of the first epoch, and with lr_min of the last: both or neither
    lr_min: float | None
    hisso: bool  # train on episodes for a reward; the keywords that follow are for episodes alone
    hisso_window: int | None  # steps of an episode
    hisso_batch_episodes: int | None  # episodes of an update
    hisso_updates_per_epoch: int | None
    hisso_reward_fn: Reward | str | None  # a function of (actions, context), or the name of a registered one
    hisso_context_extractor: Extractor | ArrayLike | None  # a function of inputs (B, T, ...), or one row a step
    hisso_primary_transform: Literal["identity", "softmax", "tanh"] | None  # of outputs into actions
    hisso_transition_penalty: float | None  # forwarded to the reward
    hisso_trans_cost: float | None  # old name of hisso_transition_penalty
    hisso_supervised: WarmStart | bool | None  # train on targets first
    hisso_grad_clip_norm: float | None  # largest 2-norm of the gradient; None and 0 are no clipping
    hisso_clip_every: int  # clip every so many updates
    hisso_state_updates: bool | None  # False: the state of a stateful network does not move in training
    hisso_context_mode: Literal["per_batch", "per_series"]  # how often the extractor is called
    hisso_compile: bool | Literal["model", "step"] | None  # compile the network (True, "model") or the whole update


DEFAULTS: FitParams = {
    "verbose": 0,
    "hisso": False,
    "hisso_grad_clip_norm": EpisodicOptions.clip_norm,
    "hisso_clip_every": EpisodicOptions.clip_every,
    "hisso_context_mode": EpisodicOptions.context_mode,
}


def with_defaults(given: FitParams) -> FitParams:
    """Keywords as given, those that were left out by their defaults. Raises TypeError for one that is not known."""
    for name in given:
        if name not in FitParams.__annotations__:
            raise TypeError(f"fit() got an unexpected keyword argument {name!r}")
    return {**DEFAULTS, **given}


def names_fit_params(function: Function) -> Function:
    """`function`, which takes FitParams as `**keywords`, with each of them in its signature.

    scikit-learn routes metadata to parameters that stand in the signature, and `help` shows it.
    """
    signature = inspect.signature(function)
    defaults: Mapping[str, Any] = DEFAULTS
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
        for name, kind in FitParams.__annotations__.items()
    ]
    vars(function)["__signature__"] = signature.replace(parameters=[*own, *named])
    return function
