"""Losses of a run by phase, with their statistics; needs no torch."""

import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from hotloop.train.phases.loss_anomalies import Divergence, Spike, divergence, spike
from hotloop.train.phases.phase import TrainingPhase


@dataclass(frozen=True, kw_only=True)
class LossMeasurement:
    """One loss: its own number from 0, its phase, and the seconds since the history began."""

    step: int
    loss: float
    phase: TrainingPhase
    elapsed: float


@dataclass(frozen=True, kw_only=True)
class LossStatistics:
    """Figures of some losses; the variance is that of the population."""

    count: int
    mean: float
    variance: float
    std: float
    minimum: float
    maximum: float
    median: float


@dataclass(frozen=True, kw_only=True)
class LossHistoryConfig:
    """How many losses are kept, and what counts as an anomaly. Raises ValueError for what is not allowed."""

    max_history: int = 1000
    spike_threshold: float = 3.0
    divergence_threshold: float = 1.2

    def __post_init__(self) -> None:
        if self.max_history < 1:
            raise ValueError(f"max_history: got {self.max_history}; at least 1 is allowed")
        if not self.spike_threshold > 0:
            raise ValueError(f"spike_threshold: got {self.spike_threshold}; a number above 0 is allowed")
        if not self.divergence_threshold > 1:
            raise ValueError(f"divergence_threshold: got {self.divergence_threshold}; a number above 1 is allowed")


class LossHistory:
    """The last losses, oldest first.

    A loss may be a 0-d tensor: it is read when something is first asked about it, so that recording waits for no
    device. Windows are numbers of losses; one below 1 raises ValueError.
    """

    def __init__(self, config: LossHistoryConfig | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.config = config or LossHistoryConfig()
        self._clock = clock
        self._entries: deque[LossMeasurement] = deque(maxlen=self.config.max_history)
        self._unread: list[tuple[int, SupportsFloat, TrainingPhase, float]] = []
        self._next_step = 0
        self._began = clock()

    def __len__(self) -> int:
        return min(len(self._entries) + len(self._unread), self.config.max_history)

    def record(self, loss: SupportsFloat, phase: TrainingPhase) -> None:
        """Take in the loss of one step."""
        self._unread.append((self._next_step, loss, phase, self._clock() - self._began))
        self._next_step += 1
        if len(self._unread) > self.config.max_history:
            del self._unread[0]

    def clear(self) -> None:
        """Forget everything, and begin again at step 0."""
        self._entries.clear()
        self._unread.clear()
        self._next_step, self._began = 0, self._clock()

    @property
    def measurements(self) -> Sequence[LossMeasurement]:
        """All that are kept, oldest first."""
        for step, loss, phase, elapsed in self._unread:
            self._entries.append(LossMeasurement(step=step, loss=float(loss), phase=phase, elapsed=elapsed))
        self._unread.clear()
        return tuple(self._entries)

    @property
    def current_loss(self) -> float | None:
        """The latest loss; None of an empty history."""
        kept = self.measurements
        return kept[-1].loss if kept else None

    @property
    def elapsed_time(self) -> float:
        """Seconds since the history began."""
        return self._clock() - self._began

    def of_phase(self, phase: TrainingPhase) -> Sequence[LossMeasurement]:
        """Those of one phase, oldest first."""
        return tuple(entry for entry in self.measurements if entry.phase is phase)

    def phase_summary(self) -> dict[TrainingPhase, LossStatistics]:
        """The statistics of each phase that was seen, in the order WARMUP, FULL, PREDICT, CORRECT."""
        by_phase = {phase: [entry.loss for entry in self.of_phase(phase)] for phase in TrainingPhase}
        return {phase: _statistics(losses) for phase, losses in by_phase.items() if losses}

    def compute_statistics(self, window: int | None = None) -> LossStatistics | None:
        """Figures of the last `window` losses, of fewer where there are fewer; None of an empty history."""
        losses = self._last(window) if window is not None else [entry.loss for entry in self.measurements]
        return _statistics(losses) if losses else None

    def rolling_average(self, window: int) -> float | None:
        """Mean of the last `window` losses; None of fewer."""
        losses = self._whole(window)
        return None if losses is None else statistics.fmean(losses)

    def rolling_variance(self, window: int) -> float | None:
        """Population variance of the last `window` losses; None of fewer."""
        losses = self._whole(window)
        return None if losses is None else _statistics(losses).variance

    def improvement_rate(self, window: int) -> float | None:
        """(last - first) / |first| of the last `window` losses; None of fewer, or where the first is 0."""
        losses = self._whole(window)
        return None if losses is None or losses[0] == 0 else (losses[-1] - losses[0]) / abs(losses[0])

    def is_converging(self, window: int, threshold: float) -> bool:
        """Whether the later half of the window is lower than the earlier one by more than `threshold` of it.

        The middle of an odd window belongs to neither. False of fewer losses than `window`, or a window below 2.
        """
        losses, half = self._whole(window), window // 2
        if losses is None or half == 0:
            return False
        early, late = statistics.fmean(losses[:half]), statistics.fmean(losses[-half:])
        return early - late > threshold * abs(early)

    def detect_anomalies(self, window: int) -> list[Spike | Divergence]:
        """What is unusual about the last losses; nothing before there are `window` + 1 of them."""
        losses = [entry.loss for entry in self.measurements]
        if len(losses) <= _at_least_one(window):
            return []
        steps = [entry.step for entry in self.measurements]
        found = (
            spike(losses[-window:], step=steps[-1], threshold=self.config.spike_threshold),
            divergence(losses, steps, window=window, threshold=self.config.divergence_threshold),
        )
        return [anomaly for anomaly in found if anomaly is not None]

    def to_json(self) -> str:
        """An array of step, loss and phase, oldest first."""
        rows = [{"step": e.step, "loss": e.loss, "phase": str(e.phase)} for e in self.measurements]
        return json.dumps(rows, indent=2)

    def _last(self, window: int) -> list[float]:
        return [entry.loss for entry in self.measurements[-_at_least_one(window) :]]

    def _whole(self, window: int) -> list[float] | None:
        losses = self._last(window)
        return losses if len(losses) == window else None


def _at_least_one(window: int) -> int:
    if window < 1:
        raise ValueError(f"window: got {window}; at least 1 is allowed")
    return window


def _statistics(losses: Sequence[float]) -> LossStatistics:
    mean = statistics.fmean(losses)
    variance = statistics.fmean([(loss - mean) ** 2 for loss in losses])
    return LossStatistics(
        count=len(losses),
        mean=mean,
        variance=variance,
        std=variance**0.5,
        minimum=min(losses),
        maximum=max(losses),
        median=statistics.median(losses),
    )
