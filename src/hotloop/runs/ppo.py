"""One run of `hotloop train` with PPO: from a config to a run folder."""

import sys
from pathlib import Path
from typing import Any

import torch

from hotloop.errors import ConfigError
from hotloop.runs.chosen_device import chosen_device
from hotloop.runs.folder import RunFolder
from hotloop.runs.in_folder import opened_folder, run_in_folder
from hotloop.runs.launched_ranks import agreed_path, device_of_rank, launched_ranks
from hotloop.runs.ppo_config import PPORunConfig
from hotloop.runs.ppo_evaluation import evaluate_policy
from hotloop.runs.ppo_parts import build_model, environment_of_rank
from hotloop.runs.ppo_recorder import PPORecorder
from hotloop.runs.request import FinishedRun, RunRequest
from hotloop.runs.weights import write_weights
from hotloop.train.events.sinks import JsonLinesSink
from hotloop.train.events.stream import EventStream
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.rank_share import share_of
from hotloop.train.ppo.run import PPORun, PPOUpdate, train_ppo
from hotloop.train.ranks import Ranks

_SHOWN = ("episode_return", "first_side_wins", "second_side_wins", "draws", "episode_length", "entropy", "approx_kl")


def train_actor_critic(given: PPORunConfig, request: RunRequest) -> FinishedRun:
    """The finished run, with metrics.json, report.html, weights in checkpoints/final and, in games of two, games/.

    Under torchrun every rank trains on its share of the environments and of each batch, and the first one writes.
    Raises ConfigError before anything is trained, FitFailed where training did not end well.
    """
    wins = {"seed": request.seed, "device": request.device}
    config = given.model_copy(update={name: value for name, value in wins.items() if value is not None})
    device = device_of_rank(chosen_device(config.device))
    with launched_ranks(device) as ranks:
        run = _Run(config, request, device, ranks)
        if not ranks.is_first:
            folder = RunFolder(Path(agreed_path("", ranks, device)))
            run.trained(folder)
            return FinishedRun(folder=folder.path, metrics={}, rank=ranks.rank)
        folder = opened_folder(config.model_dump(mode="json"), request, is_out_itself=True)

        def work() -> dict[str, Any]:
            agreed_path(str(folder.path.resolve()), ranks, device)
            return run.evaluated(run.trained(folder), folder)

        return run_in_folder(folder, work, device=str(device))


class _Run:
    """One rank's part of a run; what is wrong in the config is found when it is made."""

    def __init__(self, config: PPORunConfig, request: RunRequest, device: torch.device, ranks: Ranks) -> None:
        self._config, self._request, self._device, self._ranks = config, request, device, ranks
        try:
            share_of(config.ppo, ranks)
        except ValueError as error:
            raise ConfigError(f"[ppo]: {error}") from error
        self._environment = environment_of_rank(config, ranks)
        self._model = build_model(config.model, self._environment, seed=config.seed)

    def trained(self, folder: RunFolder) -> PPORun:
        """Train; the first rank tells of each update, and writes checkpoints and events."""
        config, ranks = self._config, self._ranks
        recorder = PPORecorder(
            folder,
            resumes=self._request.resume is not None,
            every=config.checkpoint_every,
            keep_every=config.evaluation.keep_every,
            ranks=ranks,
        )
        if ranks.is_first:
            _write_events(self._environment, folder, recorder)
        total = config.ppo.num_updates(self._environment.num_envs * ranks.size)

        def tell(update: PPOUpdate) -> None:
            figures = [f"{name} {update.metrics[name]:.4g}" for name in _SHOWN if name in update.metrics]
            line = f"update {update.number} of {total}, step {update.steps}: {', '.join(figures)}"
            folder.log(line)
            if self._request.verbose:
                sys.stderr.write(f"{line}\n")

        return train_ppo(
            self._model,
            self._environment,
            config.ppo,
            seed=config.seed,
            device=self._device,
            on_update=tell if ranks.is_first else None,
            recorder=recorder,
            ranks=ranks,
        )

    def evaluated(self, run: PPORun, folder: RunFolder) -> dict[str, Any]:
        """Write the weights, play, and draw the page; what is written to metrics.json."""
        write_weights(folder.checkpoints / "final" / "model.safetensors", self._model)
        evaluation = evaluate_policy(self._config, self._model, folder)
        metrics = {**_metrics(run, evaluation.figures), "ranks": self._ranks.size}
        _write_page(self._config, folder, metrics, evaluation.replay)
        return metrics


def _write_events(environment: VectorEnvironment, folder: RunFolder, recorder: PPORecorder) -> None:
    """Events of an environment that tells some go into events.jsonl, from where its checkpoint left off."""
    events = getattr(environment, "events", None)
    if isinstance(events, EventStream):
        events.add_sink(JsonLinesSink(folder.path / "events.jsonl", keep=recorder.events_kept))


def _metrics(run: PPORun, evaluation: dict[str, Any]) -> dict[str, Any]:
    last = run.history[-1]
    return {
        "strategy": "ppo",
        "updates": len(run.history),
        "steps": last.steps,
        "train_seconds": run.seconds,
        "phases": run.phases,
        "evaluation": evaluation,
        "history_length": len(run.history),
        "history": [
            {"update": item.number, "steps": item.steps, "loss": item.loss, **item.metrics} for item in run.history
        ],
    }


def _write_page(
    config: PPORunConfig, folder: RunFolder, metrics: dict[str, Any], replay: dict[str, Any] | None
) -> None:
    from hotloop.report.html import write_html
    from hotloop.report.training_page import training_page

    title = f"{config.environment.options.get('id', config.environment.name)} with {config.model.name}"
    write_html(training_page({"title": title, "metrics": metrics, "replay": replay}), folder.path / "report.html")
