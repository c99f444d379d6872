"""What a run did and where its time went."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hotloop.train.episodes.context import ContextSource
from hotloop.train.episodes.options import EpisodicOptions
from hotloop.train.episodic.setup import EpisodicSetup
from hotloop.train.epochs import EpochsRun

PHASES = (
    "gather",
    "noise",
    "context",
    "forward",
    "reward",
    "backward",
    "optimizer",
    "state",
    "compiled",
    "report",
    "other",
)


@dataclass(frozen=True, kw_only=True)
class EpisodicProfile:
    """One run of the episodic loop; times in seconds, of this run alone.

    `total_time_s` is the wall time of the loop. `phases` is empty where phases were not timed; "reward" includes the
    primary transform and the alignment of the context, "backward" the clip, "report" the one read of an epoch, what
    the caller does there, and validation. `resolved` are the schedule as it ran. `compile_time_s` is not in the total.
    """

    device: str
    epochs: int
    total_time_s: float
    episode_length: int
    episodes_per_epoch: int
    episode_batch_size: int
    updates_per_epoch: int
    series_length: int
    dataset_bytes: int
    dataset_transfer_batches: int
    dataset_numpy_to_tensor_time_s: float
    dataset_transfer_time_s: float
    episodes_sampled: int
    updates: int
    skipped_updates: int
    episode_view_is_shared: bool
    amp_enabled: bool
    amp_dtype: str | None
    threads: int
    step: str
    uses_extractor: bool
    context_mode: str
    numpy_fallback: bool
    stateful: bool
    compile_time_s: float = 0.0
    compile_payback_updates: int | None = None
    phases: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def episodes_per_second(self) -> float:
        """Throughput of the loop."""
        return self.episodes_sampled / self.total_time_s if self.total_time_s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything under flat names, those of psann's trainer among them."""
        plain = {key: value for key, value in asdict(self).items() if key != "phases"}
        times = {f"{phase}_time_s_total": self.phases.get(phase, 0.0) for phase in PHASES}
        gathering = times.pop("gather_time_s_total")
        return {
            **plain,
            "batch_episodes": self.episodes_per_epoch,
            "episodes_per_second": self.episodes_per_second,
            "episode_gather_time_s_total": gathering,
            "episode_time_s_total": gathering + times["noise_time_s_total"],
            **times,
        }


def profile_of(
    run: EpochsRun, setup: EpisodicSetup, options: EpisodicOptions, extractor: ContextSource | None
) -> EpisodicProfile:
    """The profile of a finished run."""
    schedule, series = setup.schedule, setup.series
    return EpisodicProfile(
        device=str(setup.device),
        epochs=len(run.history),
        total_time_s=run.total_time_s,
        episode_length=schedule.window,
        episodes_per_epoch=schedule.episodes,
        episode_batch_size=schedule.batch,
        updates_per_epoch=schedule.updates,
        series_length=len(series.values),
        dataset_bytes=series.values.nbytes,
        dataset_transfer_batches=1,
        dataset_numpy_to_tensor_time_s=series.numpy_time_s,
        dataset_transfer_time_s=series.transfer_time_s,
        episodes_sampled=schedule.episodes * len(run.history),
        updates=sum(epoch.updates for epoch in run.history),
        skipped_updates=sum(epoch.skipped for epoch in run.history),
        episode_view_is_shared=schedule.batch == 1,
        amp_enabled=options.amp is not None,
        amp_dtype=options.amp,
        threads=run.threads,
        step=run.step,
        uses_extractor=extractor is not None,
        context_mode=options.context_mode,
        numpy_fallback=extractor is not None and extractor.is_numpy,
        stateful=run.stateful,
        compile_time_s=run.compile_time_s,
        compile_payback_updates=None if run.payback is None else run.payback.updates,
        phases=run.phases,
    )
