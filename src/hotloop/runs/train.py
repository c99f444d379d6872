"""One run of `hotloop train`: from a config to a run folder."""

import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.errors import ConfigError, FitFailed
from hotloop.runs.config import RunConfig, read_config
from hotloop.runs.data import Arrays, load_arrays
from hotloop.runs.folder import RunFolder, now
from hotloop.runs.keywords import fit_keywords
from hotloop.runs.named import load_estimator

if TYPE_CHECKING:
    from hotloop.estimators import FitParams

_SEED = 42


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What the command line asked for; `seed` and `device` win over the config's."""

    config: Path
    out: Path | None = None
    name: str | None = None
    seed: int | None = None
    device: str | None = None
    resume: Path | None = None
    verbose: bool = False


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """Where the run is, and what metrics.json holds."""

    folder: Path
    metrics: dict[str, Any]


def train_from_config(request: RunRequest) -> FinishedRun:
    """The finished run. Raises ConfigError before anything is trained, FitFailed where training did not end well.

    A run that fails leaves its folder, with the error in metrics.json and events.csv.
    """
    config = _requested(read_config(request.config), request)
    base = request.config.resolve().parent
    supervised, prices = config.hisso.supervised, config.evaluation.portfolio_prices_key
    also = () if isinstance(supervised, bool) else (supervised.y_key,)
    also = also if prices is None else (*also, prices)
    arrays = load_arrays(config.data, folder=base, also=also)
    estimator = load_estimator(config.estimator.target, config.estimator.params, folder=base)
    if request.resume is not None and not config.hisso.enabled:
        raise ConfigError("--resume was given and hisso.enabled is false; only episodic runs go on: start it anew")
    keywords = fit_keywords(config, arrays, folder=base)
    folder = _folder(config, request)
    metrics: dict[str, Any] = {"status": "running", "start_time": now(), "device": config.estimator.params["device"]}
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            metrics |= _fit(config, arrays, estimator, keywords, folder, resumes=request.resume is not None)
        for text in dict.fromkeys(str(warning.message) for warning in caught):
            folder.log(text, "WARNING")
            sys.stderr.write(f"warning: {text}\n")
    except BaseException as error:
        failed = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        _close(folder, {**metrics, **failed}, began)
        folder.log(failed["error"], "ERROR")
        if isinstance(error, ConfigError) or not isinstance(error, Exception):
            raise
        raise FitFailed(f"{failed['error']} (the run is in {folder.path})") from error
    return FinishedRun(folder=folder.path, metrics=_close(folder, {**metrics, "status": "completed"}, began))


def _requested(config: RunConfig, request: RunRequest) -> RunConfig:
    """The config with seed and device decided, and what the request overrides."""
    params = {"random_state": _SEED, "device": "auto", **config.estimator.params}
    given = {"random_state": request.seed, "device": request.device}
    params |= {name: value for name, value in given.items() if value is not None}
    if config.hisso.mixed_precision:
        params |= {"amp": True, "amp_dtype": config.hisso.amp_dtype or "bfloat16"}
    estimator = config.estimator.model_copy(update={"params": params})
    training = config.training.model_copy(update={"verbose": max(config.training.verbose, int(request.verbose))})
    return config.model_copy(update={"estimator": estimator, "training": training})


def _folder(config: RunConfig, request: RunRequest) -> RunFolder:
    data = config.model_dump(mode="json")
    data["training"].pop("verbose")  # how much is said may differ when a run goes on
    if request.resume is not None:
        folder = RunFolder.reopen(request.resume, data)
        folder.log(f"resumed: {' '.join(sys.argv)}")
        return folder
    name = request.name or f"{request.config.stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    folder = RunFolder.create((request.out or Path("runs")) / name, data)
    folder.log(f"started: {' '.join(sys.argv)}")
    return folder


def _fit(
    config: RunConfig, arrays: Arrays, estimator: Any, keywords: "FitParams", folder: RunFolder, *, resumes: bool
) -> dict[str, Any]:
    from hotloop.runs.results import evaluate_estimator, summarize_episodes

    if not config.hisso.enabled:
        estimator.fit(arrays["X_train"], arrays.get("y_train"), **keywords)
        for name in ("best", "latest"):
            estimator.save(folder.checkpoints / name)
        return evaluate_estimator(config, arrays, estimator)
    from hotloop.estimators.regressor import fit_recorded
    from hotloop.runs.recorder import RunRecorder

    recorder = RunRecorder(folder, estimator, resumes=resumes, every=config.training.checkpoint_every)
    fit_recorded(estimator, arrays["X_train"], arrays.get("y_train"), keywords, recorder=recorder)
    if recorder.best is None:
        raise ValueError("no epoch had a finite score, so there is no best checkpoint; look at the reward for NaN")
    best = type(estimator).load(
        folder.checkpoints / "best",
        map_location=str(estimator.fitted_.device),
        reward_fn=keywords.get("hisso_reward_fn"),
        context_extractor=keywords.get("hisso_context_extractor"),
    )
    return {**evaluate_estimator(config, arrays, best), **summarize_episodes(estimator, recorder)}


def _close(folder: RunFolder, metrics: dict[str, Any], began: float) -> dict[str, Any]:
    closed = {**metrics, "duration_seconds": time.perf_counter() - began, "timestamp": now()}
    folder.write_metrics(closed)
    return closed
