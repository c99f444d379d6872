"""Everything about a run of episodes that is fixed before its first update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.compile.precision import half_dtype
from hotloop.train.episodes.options import EpisodicOptions
from hotloop.train.episodes.schedule import Schedule, resolve
from hotloop.train.episodes.series import DeviceSeries, load_series
from hotloop.train.episodes.windows import Noise, Starts, draw_starts
from hotloop.train.stopwatch import Stopwatch, stopwatch_for
from hotloop.train.threads import suited_threads


@dataclass(frozen=True, kw_only=True)
class EpisodicSetup:
    """The series on its device, which windows are drawn from it, and how the run is timed and computed."""

    device: torch.device
    series: DeviceSeries
    schedule: Schedule
    starts: Starts
    noise: Callable[[int, Tensor], Tensor] | None
    autocast: torch.dtype | None
    threads: int
    stopwatch: Stopwatch


def set_up(
    model: nn.Module,
    series: Any,
    options: EpisodicOptions,
    *,
    device: torch.device | str | None,
    seed: int | None,
    starts: Starts | None,
) -> EpisodicSetup:
    """The setup of a run of `model`, which is moved to the device. Raises ValueError for what does not fit."""
    first = next(model.parameters(), None)
    if first is None:
        raise ValueError(f"{type(model).__name__} has no parameters; there is nothing to train: give another model")
    target = first.device if device is None else torch.device(device)
    model.to(target)
    autocast = half_dtype(options.amp, target)
    loaded = load_series(series, dtype=first.dtype, device=target)
    num_steps = len(loaded.values)
    schedule = resolve(options, num_steps)
    shape, last = (options.epochs, schedule.episodes), num_steps - schedule.window
    if starts is None:
        starts = draw_starts(schedule, num_steps, epochs=options.epochs, seed=seed)
    elif starts.shape != shape or starts.min() < 0 or starts.max() > last:
        raise ValueError(
            f"got starts of shape {starts.shape}; allowed are integers from 0 to {last} of shape (epochs, episodes) = "
            f"({shape[0]}, {shape[1]}): draw them with draw_starts"
        )
    return EpisodicSetup(
        device=target,
        series=loaded,
        schedule=schedule,
        starts=starts,
        noise=None if options.input_noise_std is None else Noise(options.input_noise_std, seed, target),
        autocast=autocast,
        threads=options.threads or suited_threads(model, rows=schedule.batch * schedule.window),
        stopwatch=stopwatch_for(options.phases, target),
    )
