"""One run of `hotloop train` with a network that grows: from a config to a run folder."""

import sys
from dataclasses import asdict
from typing import Any

import torch

from hotloop.errors import ConfigError, WorkloadError
from hotloop.runs.checkpoint_file import read_latest, write_latest
from hotloop.runs.chosen_device import chosen_device
from hotloop.runs.folder import RunFolder
from hotloop.runs.growth_config import GrowthRunConfig
from hotloop.runs.in_folder import opened_folder, run_in_folder
from hotloop.runs.request import FinishedRun, RunRequest
from hotloop.runs.weights import write_weights
from hotloop.train.checkpoint import Checkpoint
from hotloop.train.events.event import RunEnded, RunStarted
from hotloop.train.events.sinks import ConsoleSink, JsonLinesSink
from hotloop.train.events.stream import EventStream
from hotloop.workloads.growth.actions import ActionSpace
from hotloop.workloads.growth.build_training import build_compiler, build_training
from hotloop.workloads.growth.controller import Controller
from hotloop.workloads.growth.growth_training import GrowthEpoch, GrowthTraining
from hotloop.workloads.growth.heuristic import HeuristicController
from hotloop.workloads.growth.shared_epochs import SharedEpochs
from hotloop.workloads.growth.task import GrowthTask, load_task
from hotloop.workloads.growth.training_state import GrowthState
from hotloop.workloads.growth.validation import validate

EVENTS = "events.jsonl"
_SHOWN = frozenset({"epoch_ended", "slot_stage_changed", "governor_rolled_back", "compile_fell_back"})


def train_growing(given: GrowthRunConfig, request: RunRequest) -> FinishedRun:
    """The finished run, with metrics.json, events.jsonl, weights in checkpoints/final and a checkpoint to go on from.

    Raises ConfigError before anything is trained, FitFailed where training did not end well.
    """
    wins = {"seed": request.seed, "device": request.device}
    config = given.model_copy(update={name: value for name, value in wins.items() if value is not None})
    device = chosen_device(config.device)
    try:
        task = load_task(config.task)
        run = _GrowthRun(config, task, device)
    except WorkloadError as error:
        raise ConfigError(f"{request.config}: {error}") from error
    folder = opened_folder(config.model_dump(mode="json"), request, is_out_itself=True)
    checkpoint = None if request.resume is None else read_latest(folder)
    return run_in_folder(
        folder, lambda: run.metrics(folder, checkpoint, is_verbose=request.verbose), device=str(device)
    )


class _GrowthRun:
    """One network, its controller, and what is written of them."""

    def __init__(self, config: GrowthRunConfig, task: GrowthTask, device: torch.device) -> None:
        self._config, self._task, self._device = config, task, device
        self._events = EventStream()
        self._compiler = build_compiler(task, config.growth)
        self._training: GrowthTraining = build_training(
            task, config.growth, seed=config.seed, device=device, compiler=self._compiler, events=self._events
        )
        self._controller: Controller | None = None
        if config.controller == "heuristic":
            network = self._training.network
            space = ActionSpace(network.kind, network.slot_names, blueprints=config.heuristic.blueprints)
            self._controller = HeuristicController(config.heuristic, space)
        self._history: list[dict[str, Any]] = []

    def metrics(self, folder: RunFolder, checkpoint: Checkpoint | None, *, is_verbose: bool) -> dict[str, Any]:
        """Train to the end, from the checkpoint where there is one."""
        if checkpoint is not None:
            self._restore(checkpoint)
        self._events.add_sink(JsonLinesSink(folder.path / EVENTS, keep=self._events.count))
        if is_verbose:
            self._events.add_sink(ConsoleSink(sys.stderr, types=_SHOWN))
        training, config = self._training, self._config
        if checkpoint is None:
            self._events.emit(
                RunStarted(epoch=0, workload=f"growth {config.task}", seed=config.seed, device=str(self._device))
            )
        while training.epochs_done < config.growth.epochs:
            self._history.append(_entry(training.epoch()))
            if self._controller is not None:
                training.apply(self._controller.decide(training.view()))
            if config.checkpoint_every and training.epochs_done % config.checkpoint_every == 0:
                self._keep(folder)
        write_weights(folder.checkpoints / "final" / "model.safetensors", training.network)
        self._events.emit(
            RunEnded(
                epoch=training.epochs_done,
                validation_accuracy=training.progress.previous_accuracy,
                num_parameters=training.network.num_parameters(),
            )
        )
        return self._summary()

    def _summary(self) -> dict[str, Any]:
        training = self._training
        test = SharedEpochs(self._task.test, batch_size=self._task.batch_size, seed=0, device=self._device)
        found = validate(training.network, lambda _: self._task.strategy, test.epoch(0))
        return {
            "strategy": "growth",
            "task": self._task.name,
            "epochs": training.epochs_done,
            "evaluation": {
                "test_loss": found.loss,
                "test_accuracy": found.accuracy,
                "host_parameters": training.keeper.host_parameters,
                "parameters": training.network.num_parameters(),
            },
            "slots": {
                name: {"stage": str(life.stage), "blueprint": training.network.slot(name).blueprint}
                for name, life in training.keeper.lives.items()
            },
            "compile": None if self._compiler is None else asdict(self._compiler.report()),
            "events": self._events.count,
            "history_length": len(self._history),
            "history": self._history,
        }

    def _keep(self, folder: RunFolder) -> None:
        state = self._training.state()
        data = {
            "training": state.data,
            "controller": None if self._controller is None else self._controller.state(),
            "history": self._history,
            "events": self._events.count,
        }
        write_latest(folder, Checkpoint(tensors=state.tensors, data=data))

    def _restore(self, checkpoint: Checkpoint) -> None:
        data = checkpoint.data
        self._training.restore_state(GrowthState(data=data["training"], tensors=checkpoint.tensors))
        if self._controller is not None:
            self._controller.restore_state(data["controller"])
        self._history = list(data["history"])
        self._events.count = data["events"]


def _entry(done: GrowthEpoch) -> dict[str, Any]:
    return {
        "epoch": done.number,
        "loss": done.train_loss if done.train_loss == done.train_loss else None,
        "accuracy": done.train_accuracy,
        "validation_loss": done.validation.loss,
        "validation_accuracy": done.validation.accuracy,
        "parameters": done.num_parameters,
        "stages": done.stages,
    }
