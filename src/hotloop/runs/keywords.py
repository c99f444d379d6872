"""From a config to the keywords of an estimator's fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hotloop.errors import ConfigError
from hotloop.runs.config import RunConfig
from hotloop.runs.data import Arrays
from hotloop.runs.named import load_callable, load_reward

if TYPE_CHECKING:
    from hotloop.estimators import FitParams


_SAME_NAMES = ("window", "updates_per_epoch", "primary_transform", "transition_penalty", "trans_cost", "context_mode")


def fit_keywords(config: RunConfig, arrays: Arrays, *, folder: Path) -> "FitParams":
    """The keywords of fit; what the config leaves out is left out. Raises ConfigError for names that lead nowhere."""
    keywords: dict[str, Any] = {"verbose": config.training.verbose}
    if "context_train" in arrays:
        keywords["context"] = arrays["context_train"]
    if config.hisso.enabled:
        keywords |= _episodic(config, arrays, folder)
    elif "X_val" in arrays:
        keywords["validation_data"] = _validation(arrays, "val")
    return cast("FitParams", keywords)


def _episodic(config: RunConfig, arrays: Arrays, folder: Path) -> dict[str, Any]:
    asked = config.hisso
    given = {
        **{f"hisso_{name}": getattr(asked, name) for name in _SAME_NAMES},
        "hisso_batch_episodes": asked.episodes,
        "noisy": asked.input_noise,
        "lr_max": asked.lr_max,
        "lr_min": asked.lr_min,
        "hisso_reward_fn": None if asked.reward is None else load_reward(asked.reward, folder=folder),
        "hisso_context_extractor": (
            None if asked.context_extractor is None else load_callable(asked.context_extractor, folder=folder)
        ),
        "hisso_supervised": _warm_start(config, arrays),
    }
    return {
        "hisso": True,
        "hisso_grad_clip_norm": asked.grad_clip_norm,
        # Without a validation part, the best weights are those that score best on the whole training series.
        "validation_data": _validation(arrays, "val" if "X_val" in arrays else "train"),
        **{name: value for name, value in given.items() if value is not None},
    }


def _validation(arrays: Arrays, part: str) -> tuple[Any, ...]:
    return tuple(arrays.get(f"{name}_{part}") for name in ("X", "y", "context"))


def _warm_start(config: RunConfig, arrays: Arrays) -> dict[str, Any] | None:
    asked = config.hisso.supervised
    if asked is False:
        return None
    key = "y_train" if asked is True else asked.y_key
    if key not in arrays:
        raise ConfigError(
            f"hisso.supervised needs the targets {key!r}; the data has {', '.join(sorted(arrays))}: add them, or set "
            "hisso.supervised.y_key"
        )
    options = {} if asked is True else asked.model_dump(exclude={"y_key"}, exclude_none=True)
    return {"y": arrays[key], **options}
