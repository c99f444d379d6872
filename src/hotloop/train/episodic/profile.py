"""What a run did and where its time went."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

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
        """Everything under flat names, those of the peer's trainer among them."""
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
