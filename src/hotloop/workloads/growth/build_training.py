"""Builds the training of one growing network that shares nothing with others."""

import torch

from hotloop.compile.by_architecture import ArchitectureCompiler
from hotloop.train.events.stream import EventStream
from hotloop.workloads.growth.growth_options import GrowthOptions
from hotloop.workloads.growth.growth_training import GrowthTraining
from hotloop.workloads.growth.shared_epochs import SharedEpochs
from hotloop.workloads.growth.task import GrowthTask


def build_compiler(task: GrowthTask, options: GrowthOptions) -> ArchitectureCompiler | None:
    """What compiles the loss of the task for each architecture; None where the options leave it off."""
    if options.compile is None:
        return None
    # Batches come in few sizes, so each gets a graph of its own: dynamic shapes would cost in every step.
    return ArchitectureCompiler(task.strategy, backend=options.compile, dynamic=False)


def training_batches(task: GrowthTask, options: GrowthOptions, *, seed: int, device: torch.device) -> SharedEpochs:
    """The batches of the training part."""
    return SharedEpochs(
        task.train, batch_size=task.batch_size, seed=seed, device=device, max_batches=options.max_batches
    )


def validation_batches(task: GrowthTask, *, device: torch.device) -> SharedEpochs:
    """The batches of the validation part, always the same."""
    return SharedEpochs(task.validation, batch_size=task.batch_size, seed=0, device=device)


def build_training(
    task: GrowthTask,
    options: GrowthOptions,
    *,
    seed: int,
    device: torch.device | None = None,
    compiler: ArchitectureCompiler | None = None,
    events: EventStream | None = None,
) -> GrowthTraining:
    """A network at its beginning, on the CPU unless told otherwise. Raises WorkloadError for slots that cannot be."""
    device = torch.device("cpu") if device is None else device
    training = GrowthTraining(
        task,
        options,
        seed=seed,
        epochs=training_batches(task, options, seed=seed, device=device),
        validation=validation_batches(task, device=device),
        compiler=compiler,
        events=events,
    )
    if compiler is not None:
        compiler.tell(training.tell_fall_back)
    return training
