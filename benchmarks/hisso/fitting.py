"""One fit of one case, by hotloop or by the peer, and what it took. Imports neither until it is told which."""

import importlib
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np


def prices_of_log_returns(inputs: Any) -> Any:
    """Prices up to a factor from log returns (B, T, M) or pictures (B, T, M, 4, 4): the same for both packages."""
    returns = inputs[..., -1, -1] if inputs.ndim > 3 else inputs
    return returns.cumsum(-2).exp()


def read_case(path: Path) -> dict[str, Any]:
    """The order that Case.save wrote, with its arrays."""
    order = json.loads(path.read_text(encoding="utf-8"))
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        return {**order, "X": arrays["X"], "y": arrays["y"]}


def fit_once(package: str, order: dict[str, Any]) -> dict[str, Any]:
    """Wall and CPU seconds of the whole fit, those of the episodic loop, mean rewards of the epochs, and the profile.

    The estimator is built outside of the timed part, as nothing happens there in either package.
    """
    module = importlib.import_module("hotloop.estimators" if package == "hotloop" else "psann")
    keywords = dict(order["fit"])
    keywords["hisso_supervised"] = {"y": order["y"], **keywords["hisso_supervised"]}
    if order["reward"] == "return":
        keywords |= {"hisso_reward_fn": _reward(package), "hisso_context_extractor": prices_of_log_returns}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer peer deprecates the call it is known by
        estimator = getattr(module, order["target"])(**order["params"])
        wall, cpu = time.perf_counter(), time.process_time()
        estimator.fit(order["X"], order["y"], hisso=True, verbose=0, **keywords)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    profile = dict(_profile(package, estimator))
    history = [entry for entry in estimator.history_ if "reward" in entry]
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "loop_s": profile["total_time_s"],
        "rewards": [float(entry["reward"]) for entry in history],
        "episodes": [int(entry["episodes"]) for entry in history],
        "profile": profile,
    }


def _reward(package: str) -> Any:
    if package == "hotloop":
        from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn

        return MultiplicativeReturn()
    from psann import multiplicative_return_reward  # pyright: ignore[reportMissingImports]

    return multiplicative_return_reward


def _profile(package: str, estimator: Any) -> dict[str, Any]:
    if package == "hotloop":
        return estimator.hisso_profile_
    return estimator._hisso_trainer_.profile
