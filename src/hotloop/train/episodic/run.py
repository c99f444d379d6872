"""Episodic training from a series to a trained model."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hotloop.train.episodic.context import ContextSource, Extractor
from hotloop.train.episodic.evaluate import score_series
from hotloop.train.episodic.options import EpisodicOptions, UpdateOptions
from hotloop.train.episodic.profile import EpisodicProfile
from hotloop.train.episodic.reward import Reward, RewardCall
from hotloop.train.episodic.schedule import Schedule, resolve
from hotloop.train.episodic.series import load_series
from hotloop.train.episodic.series_context import context_of_series
from hotloop.train.episodic.windows import Noise, Starts, Windows, draw_starts
from hotloop.train.epochs import Callbacks, Epoch, EpochRunner, Epochs, LeanSettings
from hotloop.train.lean.clipping import Clipping
from hotloop.train.resumption import Recorder
from hotloop.train.stopwatch import DeviceStopwatch, HostStopwatch, NoStopwatch, Stopwatch
from hotloop.train.strategies.episodic import Episodic
from hotloop.train.threads import intra_op_threads, suited_threads

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


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
    recorder: Recorder | None = None,
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
    setup = _Setup(model, series, options, device=device, seed=seed, starts=starts)
    setup.reward = RewardCall(reward, options.transition_penalty)
    setup.action_dim = action_dim
    with intra_op_threads(setup.threads):
        return _train(setup, context, validation, Heard(before_epoch, on_epoch, recorder))


class Heard(NamedTuple):
    """Who hears of a run."""

    before_epoch: Callable[[int], None] | None
    on_epoch: Callable[[EpisodicEpoch], None] | None
    recorder: Recorder | None


class _Setup:
    """Everything about a run that is fixed before its first update."""

    reward: RewardCall
    action_dim: int | None

    def __init__(
        self,
        model: nn.Module,
        series: Any,
        options: EpisodicOptions,
        *,
        device: torch.device | str | None,
        seed: int | None,
        starts: Starts | None,
    ) -> None:
        first = next(model.parameters(), None)
        if first is None:
            raise ValueError(f"{type(model).__name__} has no parameters; there is nothing to train: give another model")
        self.device = first.device if device is None else torch.device(device)
        model.to(self.device)
        check_amp(options.amp, self.device)
        self.model, self.options, self.seed = model, options, seed
        self.series = load_series(series, dtype=first.dtype, device=self.device)
        self.num_steps = self.series.values.shape[0]
        self.schedule = resolve(options, self.num_steps)
        self.starts = self._checked(starts)
        self.threads = self._thread_count()
        self.watch = make_watch(options.phases, self.device)

    def _thread_count(self) -> int:
        weights = sum(parameter.numel() for parameter in self.model.parameters())
        rows = self.schedule.batch * self.schedule.window
        return self.options.threads or suited_threads(rows=rows, weights=weights)

    def _checked(self, starts: Starts | None) -> Starts:
        options, schedule = self.options, self.schedule
        if starts is None:
            return draw_starts(schedule, self.num_steps, epochs=options.epochs, seed=self.seed)
        last = self.num_steps - schedule.window
        if starts.shape != (options.epochs, schedule.episodes) or starts.min() < 0 or starts.max() > last:
            raise ValueError(
                f"got starts of shape {starts.shape}; allowed are integers from 0 to {last} of shape (epochs, "
                f"episodes) = ({options.epochs}, {schedule.episodes}): draw them with draw_starts"
            )
        return starts

    def noise(self) -> Callable[[int, Tensor], Tensor] | None:
        """What adds noise to the inputs of an epoch; None where none was asked for."""
        std = self.options.input_noise_std
        return None if std is None else Noise(std, self.seed, self.device)


def _train(setup: _Setup, context: Extractor | None, validation: Any, heard: Heard) -> EpisodicRun:
    options = setup.options
    extractor = None if context is None else ContextSource(context)
    strategy = Episodic(
        setup.reward,
        primary_transform=options.primary_transform,
        autocast=None if options.amp is None else DTYPES[options.amp],
        action_dim=setup.action_dim,
        watch=setup.watch,
    )
    runner = EpochRunner(
        setup.model,
        strategy,
        _windows(setup, extractor),
        _settings(options),
        watch=setup.watch,
        callbacks=Callbacks(
            before_epoch=heard.before_epoch,
            after_epoch=_teller(heard.on_epoch, setup.schedule),
            validate=_validator(setup, context, validation),
            recorder=heard.recorder,
        ),
    )
    epochs = runner.run(options.epochs)
    return EpisodicRun(
        history=tuple(_episodic(epoch, setup.schedule) for epoch in epochs.history),
        profile=_profile(setup, epochs, extractor),
        best_epoch=epochs.best_epoch,
        stopped_early=epochs.stopped_early,
        notes=_notes(epochs),
    )


def _notes(epochs: Epochs) -> tuple[str, ...]:
    payback = () if epochs.payback is None else (epochs.payback.sentence(),)
    failure = () if epochs.compile_failure is None else (f"not compiled: {epochs.compile_failure}",)
    return payback + failure


def _windows(setup: _Setup, extractor: ContextSource | None) -> Windows:
    values, options = setup.series.values, setup.options
    is_per_series = options.context_mode == "per_series"
    whole = context_of_series(values, extractor, setup.schedule, options) if is_per_series else None
    return Windows(
        values,
        setup.starts,
        setup.schedule,
        watch=setup.watch,
        noise=setup.noise(),
        extractor=None if is_per_series else extractor,
        context_NC=whole,
    )


def _validator(setup: _Setup, context: Extractor | None, validation: Any) -> Callable[[], float] | None:
    if validation is None:
        return None
    values = setup.series.values
    series = load_series(validation, dtype=values.dtype, device=values.device, name="validation series").values
    strategy = Episodic(setup.reward, primary_transform=setup.options.primary_transform, trains=False)
    extractor = None if context is None else ContextSource(context)
    return lambda: -score_series(setup.model, series, strategy, extractor)


def _teller(on_epoch: Callable[[EpisodicEpoch], None] | None, schedule: Schedule) -> Callable[[Epoch], None] | None:
    if on_epoch is None:
        return None

    def tell(epoch: Epoch) -> None:
        on_epoch(_episodic(epoch, schedule))

    return tell


def _episodic(epoch: Epoch, schedule: Schedule) -> EpisodicEpoch:
    return EpisodicEpoch(
        epoch=epoch.number,
        reward=-epoch.loss,
        episodes=schedule.episodes,
        updates=epoch.updates,
        skipped=epoch.skipped,
        validation=None if epoch.validation is None else -epoch.validation,
    )


def _profile(setup: _Setup, epochs: Epochs, extractor: ContextSource | None) -> EpisodicProfile:
    schedule, options, series = setup.schedule, setup.options, setup.series
    return EpisodicProfile(
        device=str(setup.device),
        epochs=len(epochs.history),
        total_time_s=epochs.total_time_s,
        episode_length=schedule.window,
        episodes_per_epoch=schedule.episodes,
        episode_batch_size=schedule.batch,
        updates_per_epoch=schedule.updates,
        series_length=setup.num_steps,
        dataset_bytes=series.num_bytes,
        dataset_transfer_batches=1,
        dataset_numpy_to_tensor_time_s=series.numpy_time_s,
        dataset_transfer_time_s=series.transfer_time_s,
        episodes_sampled=schedule.episodes * len(epochs.history),
        updates=sum(epoch.updates for epoch in epochs.history),
        skipped_updates=sum(epoch.skipped for epoch in epochs.history),
        episode_view_is_shared=schedule.batch == 1,
        amp_enabled=options.amp is not None,
        amp_dtype=options.amp,
        threads=setup.threads,
        step=epochs.step,
        uses_extractor=extractor is not None,
        context_mode=options.context_mode,
        numpy_fallback=extractor is not None and extractor.is_numpy,
        stateful=epochs.stateful,
        compile_time_s=epochs.compile_time_s,
        compile_payback_updates=None if epochs.payback is None else epochs.payback.updates,
        phases=epochs.phases,
    )


def _settings(options: EpisodicOptions) -> LeanSettings:
    clipping = Clipping(norm=options.clip_norm, value=options.clip_value, every=options.clip_every)
    return dataclasses.replace(lean_settings(options), clipping=clipping, compile=options.compile)


def lean_settings(options: UpdateOptions) -> LeanSettings:
    """The options as the runner of epochs takes them."""
    return LeanSettings(
        lr=options.lr,
        optimizer=options.optimizer,
        weight_decay=options.weight_decay,
        clipping=Clipping(norm=options.clip_norm),
        nonfinite=options.nonfinite,
        scaled=options.amp == "float16",
        fused=options.fused and options.amp is None,
        state_reset=options.state_reset,
        state_updates=options.state_updates,
        validation_every=options.validation_every,
        patience=options.patience,
        lr_end=options.lr_end,
    )


def check_amp(amp: str | None, device: torch.device) -> None:
    """Raise ValueError for float16 off CUDA, where it would be slow and would underflow."""
    if amp == "float16" and device.type != "cuda":
        raise ValueError(f"amp='float16' was given on {device}; it is for CUDA: give 'bfloat16', or None")


def make_watch(phases: str, device: torch.device) -> Stopwatch:
    """The stopwatch for `phases` "on", "off" or "auto": on the host always, on a GPU only where asked for."""
    is_cuda = device.type == "cuda"
    if phases == "off" or (phases == "auto" and is_cuda):
        return NoStopwatch()
    return DeviceStopwatch() if is_cuda else HostStopwatch()
