"""What the HISSO benchmarks train on: two data sets, dense and conv, compat and fast, as plain data.

The same description is given to hotloop and to the peer, which share the names of estimators and keywords.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hotloop.workloads.portfolio import read_prices, series_of, synthetic_prices

DATASETS = ("synthetic", "portfolio")
VARIANTS = ("dense", "conv")
MODES = ("compat", "fast")
REWARDS = ("energy", "return")

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """B episodes an update, U updates an epoch; `description` says what for."""

    name: str
    batch_episodes: int
    updates_per_epoch: int
    description: str


@dataclass(frozen=True, kw_only=True)
class Data:
    """A series X (N, ...) and the targets y (N, M) of its warm start."""

    name: str
    description: str
    source: str
    X: Array = field(repr=False)
    y: Array = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fit: estimator and keywords in JSON types, and the data."""

    name: str
    target: str
    params: dict[str, Any]
    fit: dict[str, Any]
    reward: str
    data: Data

    def save(self, folder: Path) -> Path:
        """Write what a worker needs: NAME.json and NAME.npz; returns the first."""
        np.savez(folder / f"{self.name}.npz", X=self.data.X, y=self.data.y)
        path = folder / f"{self.name}.json"
        order = {"target": self.target, "params": self.params, "fit": self.fit, "reward": self.reward}
        path.write_text(json.dumps(order), encoding="utf-8")
        return path


def schedules(compat: tuple[int, int] = (1, 32), fast: tuple[int, int] = (8, 4)) -> dict[str, Schedule]:
    """The schedules by mode, from (B, U) of each."""
    return {
        "compat": Schedule(
            name="compat",
            batch_episodes=compat[0],
            updates_per_epoch=compat[1],
            description="one episode an update, as the peer trains by default",
        ),
        "fast": Schedule(
            name="fast",
            batch_episodes=fast[0],
            updates_per_epoch=fast[1],
            description="several episodes an update: as many episodes an epoch, fewer updates",
        ),
    }


def make_data(dataset: str, variant: str, *, seed: int = 42, path: Path | None = None) -> Data:
    """The data of a variant; "portfolio" reads the CSV file at `path`, or else prices made from `seed`."""
    if dataset == "portfolio":
        prices = synthetic_prices(seed) if path is None else read_prices(path)
        series = series_of(prices, "dense" if variant == "dense" else "conv")
        source = f"hotloop.workloads.portfolio.synthetic_prices({seed})" if path is None else path.name
        return Data(
            name="portfolio",
            description="log returns of open and close; conv: windows of 16 steps as 4 x 4 pictures",
            source=source,
            X=series.X,
            y=series.y,
        )
    X, y = _synthetic(variant, seed)
    return Data(name="synthetic", description="waves of several periods with noise", source=f"seed {seed}", X=X, y=y)


def make_case(data: Data, variant: str, schedule: Schedule, **options: Any) -> Case:
    """The fit of `data`; options: epochs, window, seed, penalty, reward, and `extra` keywords of fit."""
    epochs, seed = options["epochs"], options["seed"]
    common = {"hidden_layers": 2, "lr": 1e-3, "epochs": epochs, "random_state": seed, "device": options["device"]}
    shape = {"hidden_units": 64} if variant == "dense" else {"hidden_units": 32, "conv_kernel_size": 3}
    if variant == "conv":
        shape["conv_channels"] = 32
    fit = {
        "hisso_window": options["window"],
        "hisso_batch_episodes": schedule.batch_episodes,
        "hisso_updates_per_epoch": schedule.updates_per_epoch,
        # The peer's benchmark squashes with tanh; shares of wealth have to sum to 1.
        "hisso_primary_transform": "softmax" if options["reward"] == "return" else "tanh",
        "hisso_transition_penalty": options["penalty"] if options["reward"] == "return" else 0.0,
        "hisso_supervised": {"epochs": max(1, epochs // 2), "batch_size": min(128, len(data.X))},
        **options.get("extra", {}),
    }
    return Case(
        name=f"{data.name}-{variant}-{schedule.name}-{options['reward']}",
        target="ResPSANNRegressor" if variant == "dense" else "ResConvPSANNRegressor",
        params={**common, **shape},
        fit=fit,
        reward=options["reward"],
        data=data,
    )


def _synthetic(variant: str, seed: int) -> tuple[Array, Array]:
    """X (768, 8) or (512, 2, 8, 8) and y (N, 3)."""
    rng = np.random.default_rng(seed)
    length, shape = (768, (8,)) if variant == "dense" else (512, (2, 8, 8))
    width = int(np.prod(shape))
    times = np.arange(length)[:, None] / rng.uniform(10.0, 80.0, width)
    flat = np.sin(2.0 * np.pi * times + rng.uniform(0.0, 6.0, width)) + 0.1 * rng.standard_normal((length, width))
    y = np.tanh(flat @ rng.standard_normal((width, 3)) / np.sqrt(width))
    return flat.reshape(length, *shape).astype(np.float32), y.astype(np.float32)
