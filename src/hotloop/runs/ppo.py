"""One run of `hotloop train` with PPO: from a config to a run folder."""

import sys
from typing import Any

from hotloop.runs.chosen_device import chosen_device
from hotloop.runs.folder import RunFolder
from hotloop.runs.in_folder import opened_folder, run_in_folder
from hotloop.runs.ppo_config import PPORunConfig
from hotloop.runs.ppo_evaluation import evaluate_policy
from hotloop.runs.ppo_parts import build_environment, build_model
from hotloop.runs.ppo_recorder import PPORecorder
from hotloop.runs.request import FinishedRun, RunRequest
from hotloop.runs.weights import write_weights
from hotloop.train.events.sinks import JsonLinesSink
from hotloop.train.events.stream import EventStream
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.run import PPORun, PPOUpdate, train_ppo

_SHOWN = ("episode_return", "first_side_wins", "second_side_wins", "draws", "episode_length", "entropy", "approx_kl")


def train_actor_critic(given: PPORunConfig, request: RunRequest) -> FinishedRun:
    """The finished run, with metrics.json, report.html, weights in checkpoints/final and, in games of two, games/.

    Raises ConfigError before anything is trained, FitFailed where training did not end well.
    """
    wins = {"seed": request.seed, "device": request.device}
    config = given.model_copy(update={name: value for name, value in wins.items() if value is not None})
    device = chosen_device(config.device)
    environment = build_environment(config)
    model = build_model(config.model, environment, seed=config.seed)
    folder = opened_folder(config.model_dump(mode="json"), request, is_out_itself=True)
    recorder = PPORecorder(
        folder,
        resumes=request.resume is not None,
        every=config.checkpoint_every,
        keep_every=config.evaluation.keep_every,
    )
    _write_events(environment, folder, recorder)
    total = config.ppo.num_updates(environment.num_envs)

    def tell(update: PPOUpdate) -> None:
        figures = [f"{name} {update.metrics[name]:.4g}" for name in _SHOWN if name in update.metrics]
        line = f"update {update.number} of {total}, step {update.steps}: {', '.join(figures)}"
        folder.log(line)
        if request.verbose:
            sys.stderr.write(f"{line}\n")

    def work() -> dict[str, Any]:
        run = train_ppo(
            model, environment, config.ppo, seed=config.seed, device=device, on_update=tell, recorder=recorder
        )
        write_weights(folder.checkpoints / "final" / "model.safetensors", model)
        evaluation = evaluate_policy(config, model, folder)
        metrics = _metrics(run, evaluation.figures)
        _write_page(config, folder, metrics, evaluation.replay)
        return metrics

    return run_in_folder(folder, work, device=str(device))


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
