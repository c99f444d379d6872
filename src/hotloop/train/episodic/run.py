"""Episodic training from a series to a trained model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hotloop.train.checkpoint import CheckpointRecorder
from hotloop.train.episodes.context import ContextSource, Extractor
from hotloop.train.episodes.options import EpisodicOptions
from hotloop.train.episodes.reward import Reward, RewardCall
from hotloop.train.episodes.series_context import context_of_series
from hotloop.train.episodes.windows import Starts, Windows
from hotloop.train.episodic.evaluate import series_scorer
from hotloop.train.episodic.profile import EpisodicProfile, profile_of
from hotloop.train.episodic.setup import set_up
from hotloop.train.epoch_log import Epoch
from hotloop.train.epochs import train_epochs
from hotloop.train.strategies.episodic import Episodic
from hotloop.train.threads import intra_op_threads


@dataclass(frozen=True, kw_only=True)
class EpisodicEpoch:
    """One epoch: 1-based number, mean reward over its episodes, and the reward of the validation series."""

    epoch: int
    reward: float
    episodes: int
    updates: int
    skipped: int
    validation: float | None


@dataclass(frozen=True, kw_only=True)
class EpisodicRun:
    """A finished run: its epochs, where the time went, and the epoch of the best validation reward.

    `notes` say what a person should know: when compiling pays back, or why it failed.
    """

    history: tuple[EpisodicEpoch, ...]
    profile: EpisodicProfile
    best_epoch: int | None
    stopped_early: bool
    notes: tuple[str, ...] = ()


def train_episodic(  # noqa: PLR0913  # one call for users; all but three by keyword
    model: nn.Module,
    series: Any,
    options: EpisodicOptions | None = None,
    *,
    reward: Reward | None = None,
    context: Extractor | None = None,
    seed: int | None = None,
    device: torch.device | str | None = None,
    action_dim: int | None = None,
    validation: Any = None,
    starts: Starts | None = None,
    before_epoch: Callable[[int], None] | None = None,
    on_epoch: Callable[[EpisodicEpoch], None] | None = None,
    recorder: CheckpointRecorder | None = None,
) -> EpisodicRun:
    """Trains `model` in place to act on `series` (N, ...) so that `reward` grows; ends in eval mode.

    `reward(actions, context)` gets (B, T, M) twice, and transition_penalty (or trans_cost) where it takes it; None is
    minus the mean square of the actions. `context` extracts the context from inputs (B, T, ...); None takes the inputs.
    `validation` is a second series whose reward is reported each epoch. `starts` (epochs, episodes) fixes the windows;
    else they are drawn from numpy's default_rng(seed); noise has a generator of its own with the same seed.
    `before_epoch` gets the 0-based epoch; `on_epoch` its record; a `recorder` keeps the run so that it can go on. Equal
    seeds give equal runs on the CPU.
    Raises ValueError for input that does not fit, NonFiniteError for NaN or infinities under nonfinite="stop".
    """
    options = options or EpisodicOptions()
    setup = set_up(model, series, options, device=device, seed=seed, starts=starts)
    call = RewardCall(reward, options.transition_penalty)
    extractor = None if context is None else ContextSource(context)
    primary = options.primary_transform
    strategy = Episodic(
        call, primary_transform=primary, autocast=setup.autocast, action_dim=action_dim, stopwatch=setup.stopwatch
    )

    def record(epoch: Epoch) -> EpisodicEpoch:
        return EpisodicEpoch(
            epoch=epoch.number,
            reward=-epoch.loss,
            episodes=setup.schedule.episodes,
            updates=epoch.updates,
            skipped=epoch.skipped,
            validation=None if epoch.validation is None else -epoch.validation,
        )

    with intra_op_threads(setup.threads):
        values = setup.series.values
        is_per_series = options.context_mode == "per_series"
        batches = Windows(
            values,
            setup.starts,
            setup.schedule,
            stopwatch=setup.stopwatch,
            noise=setup.noise,
            extractor=None if is_per_series else extractor,
            context_NC=context_of_series(values, extractor, setup.schedule, options) if is_per_series else None,
        )
        score = None
        if validation is not None:
            score = series_scorer(
                model, validation, call, context=context, primary_transform=primary, name="validation series"
            )
        run = train_epochs(
            model,
            strategy,
            batches,
            options,
            stopwatch=setup.stopwatch,
            compilation=options.compilation,
            before_epoch=before_epoch,
            after_epoch=None if on_epoch is None else lambda epoch: on_epoch(record(epoch)),
            validate=None if score is None else lambda: -score(),
            recorder=recorder,
        )
    payback = () if run.payback is None else (run.payback.sentence(),)
    failure = () if run.compile_failure is None else (f"not compiled: {run.compile_failure}",)
    return EpisodicRun(
        history=tuple(map(record, run.history)),
        profile=profile_of(run, setup, options, extractor),
        best_epoch=run.best_epoch,
        stopped_early=run.stopped_early,
        notes=payback + failure,
    )
