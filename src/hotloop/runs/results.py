"""What a run came to: losses of all parts, rewards, and what the allocations earned."""

import statistics
from typing import Any

import numpy as np

from hotloop.errors import ConfigError
from hotloop.runs.config import RunConfig
from hotloop.runs.data import PARTS, Arrays
from hotloop.runs.recorder import RunRecorder
from hotloop.train.rewards import PortfolioMetrics, portfolio_metrics


def evaluate_estimator(config: RunConfig, arrays: Arrays, estimator: Any) -> dict[str, Any]:
    """Mean squared errors where there are targets, and the metrics of the portfolio where there are prices."""
    losses = {f"{part}_loss": _loss(arrays, estimator, part) for part in PARTS}
    return {**losses, "portfolio_metrics": _portfolio(config, arrays, estimator)}


def summarize_episodes(estimator: Any, recorder: RunRecorder) -> dict[str, Any]:
    """How the episodes went; `reward_mean` and `reward_std` are over the epochs, the profile is of this process."""
    rewards = [-float(entry["loss"]) for entry in recorder.entries]
    profile = dict(estimator.hisso_profile_)
    assert recorder.best is not None
    best_epoch, best_reward = recorder.best
    per_epoch = int(profile["episodes_per_epoch"])
    return {
        "hisso": {
            "best_epoch": best_epoch,
            "best_reward": best_reward,
            "reward_mean": statistics.fmean(rewards),
            "reward_std": statistics.pstdev(rewards),
            "episodes": per_epoch * len(rewards),
            "transition_penalty": estimator.hisso_.options.transition_penalty,
            "throughput_eps_per_sec": float(profile["episodes_per_second"]),
            "profile": profile,
        },
        "history_length": len(rewards),
        "history": [
            {"epoch": entry["number"], "reward": -entry["loss"], "score": -entry["validation"]}
            for entry in recorder.entries
        ],
    }


def _loss(arrays: Arrays, estimator: Any, part: str) -> float | None:
    if f"X_{part}" not in arrays or f"y_{part}" not in arrays:
        return None
    predicted = estimator.predict(arrays[f"X_{part}"], **_context(arrays, part))
    difference = np.asarray(predicted, dtype=np.float64) - arrays[f"y_{part}"].reshape(predicted.shape)
    return float(np.square(difference).mean())


def _portfolio(config: RunConfig, arrays: Arrays, estimator: Any) -> PortfolioMetrics | None:
    """Metrics of what the policy holds, which is the transformed output and not the prediction."""
    key = config.evaluation.portfolio_prices_key or "prices_test"
    if key not in arrays or not config.hisso.enabled:
        if config.evaluation.portfolio_prices_key is None:
            return None
        raise ConfigError(f"evaluation.portfolio_prices_key is {key!r}; the data has {', '.join(sorted(arrays))}")
    part = key.rpartition("_")[2]
    if f"X_{part}" not in arrays:
        raise ConfigError(f"evaluation.portfolio_prices_key is {key!r}; its part needs X_{part}, which is not there")
    shares = estimator.infer_series(arrays[f"X_{part}"], **_context(arrays, part))
    cost = config.evaluation.trans_cost
    penalty = estimator.hisso_.options.transition_penalty if cost is None else cost
    return portfolio_metrics(shares, arrays[key], transition_penalty=penalty)


def _context(arrays: Arrays, part: str) -> dict[str, Any]:
    return {"context": arrays[f"context_{part}"]} if f"context_{part}" in arrays else {}
