"""One run of `hotloop train`: from a config to a run folder."""

from typing import TYPE_CHECKING, Any

from hotloop.errors import ConfigError
from hotloop.runs.config import RunConfig
from hotloop.runs.config_file import parsed_config, validated
from hotloop.runs.data import Arrays, load_arrays
from hotloop.runs.folder import RunFolder
from hotloop.runs.in_folder import opened_folder, run_in_folder
from hotloop.runs.keywords import fit_keywords
from hotloop.runs.launched_ranks import check_single
from hotloop.runs.named import load_estimator
from hotloop.runs.request import FinishedRun, RunRequest

if TYPE_CHECKING:
    from hotloop.estimators import FitParams

_SEED = 42


def train_from_config(request: RunRequest) -> FinishedRun:
    """The finished run. Raises ConfigError before anything is trained, FitFailed where training did not end well.

    `strategy = "ppo"` trains an actor-critic, "panel" a panel network, "growth" a network that grows while it trains;
    without it, it is an estimator. A run that fails leaves its folder, with the error in metrics.json and events.csv.
    """
    data = parsed_config(request.config)
    strategy = data.get("strategy")
    if strategy not in ("panel", "ppo"):
        check_single(f"strategy = {strategy!r}" if strategy else "an estimator")
    if strategy is None:
        return _train_estimator(validated(RunConfig, data, request.config), request)
    if strategy == "ppo":
        from hotloop.runs.ppo import train_actor_critic
        from hotloop.runs.ppo_config import PPORunConfig

        return train_actor_critic(validated(PPORunConfig, data, request.config), request)
    if strategy == "panel":
        from hotloop.runs.panel import train_panel
        from hotloop.runs.panel_config import PanelRunConfig

        return train_panel(validated(PanelRunConfig, data, request.config), request)
    if strategy == "growth":
        from hotloop.runs.growth import train_growing
        from hotloop.runs.growth_config import GrowthRunConfig

        return train_growing(validated(GrowthRunConfig, data, request.config), request)
    raise ConfigError(
        f"{request.config}: strategy: got {strategy!r}; allowed are 'ppo', 'panel' and 'growth', or leave it out"
    )


def _train_estimator(given: RunConfig, request: RunRequest) -> FinishedRun:
    config = _requested(given, request)
    base = request.config.resolve().parent
    supervised, prices = config.hisso.supervised, config.evaluation.portfolio_prices_key
    also = () if isinstance(supervised, bool) else (supervised.y_key,)
    also = also if prices is None else (*also, prices)
    arrays = load_arrays(config.data, folder=base, also=also)
    estimator = load_estimator(config.estimator.target, config.estimator.params, folder=base)
    if request.resume is not None and not config.hisso.enabled:
        raise ConfigError("--resume was given and hisso.enabled is false; only episodic runs go on: start it anew")
    keywords = fit_keywords(config, arrays, folder=base)
    data = config.model_dump(mode="json")
    data["training"].pop("verbose")  # how much is said may differ when a run goes on
    folder = opened_folder(data, request)
    resumes = request.resume is not None
    return run_in_folder(
        folder,
        lambda: _fit(config, arrays, estimator, keywords, folder, resumes=resumes),
        device=config.estimator.params["device"],
    )


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
