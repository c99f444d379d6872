"""The config of `hotloop train` for a panel network: `strategy = "panel"`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hotloop.data.panel.synthetic import SyntheticPanel
from hotloop.models.atft_gat_fan import PanelNetworkOptions
from hotloop.train.losses.panel_loss import LossWeights
from hotloop.train.options import UpdateOptions
from hotloop.train.weight_average import AveragingOptions


class _PanelSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PanelDataConfig(_PanelSection):
    """Where the panel comes from: `parquet` (a path, relative to the config), `synthetic`, or `sp500 = true`.

    `store` is a folder for stores that several runs share; without it the store lies in the run's folder.
    `shuffle_targets` deals the targets of each day anew: the control, in which there is nothing to find.
    """

    parquet: str | None = None
    synthetic: SyntheticPanel | None = None
    sp500: bool = False
    store: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    shuffle_targets: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "PanelDataConfig":
        if sum((self.parquet is not None, self.synthetic is not None, self.sp500)) != 1:
            raise ValueError("give exactly one of parquet (a path), synthetic (a table, may be empty) and sp500 = true")
        return self


class PanelSplitConfig(_PanelSection):
    """Shares of the days, in order of time: training, validation, test; `embargo` days beside what is purged."""

    validation: float = 0.2
    test: float = 0.2
    embargo: int = Field(default=0, ge=0)


class PanelWindowConfig(_PanelSection):
    """Windows of `length` days; a batch holds `days_per_batch` days, `samples_per_day` stocks of each (all).

    The gradients of `microbatches` of them make one step, on each rank.
    """

    length: int = Field(default=20, ge=1)
    days_per_batch: int = Field(default=4, ge=1)
    samples_per_day: int | None = Field(default=None, ge=2)
    microbatches: int = Field(default=1, ge=1)
    num_workers: int = Field(default=0, ge=0)


class PanelRunConfig(_PanelSection):
    """Everything that a run is made of; how many horizons there are is the panel's matter.

    With `averaging` the forecasts that are scored are those of the averaged weights. A run can go on from the last of
    its checkpoints, which are written every `checkpoint_every` epochs (0: never).
    """

    strategy: Literal["panel"]
    seed: int = Field(default=0, ge=0)
    device: str = "cpu"
    data: PanelDataConfig
    split: PanelSplitConfig = PanelSplitConfig()
    windows: PanelWindowConfig = PanelWindowConfig()
    network: PanelNetworkOptions = PanelNetworkOptions()
    loss: LossWeights = LossWeights()
    horizon_weights: dict[int, float] = Field(default_factory=lambda: {1: 1.0, 5: 0.6, 10: 0.3, 20: 0.2})
    averaging: AveragingOptions | None = None
    checkpoint_every: int = Field(default=1, ge=0)
    training: UpdateOptions = UpdateOptions(epochs=10, clip_norm=1.0)

    @field_validator("training", mode="before")
    @classmethod
    def _as_options(cls, given: Any) -> Any:
        return UpdateOptions(**given) if isinstance(given, dict) else given

    @model_validator(mode="before")
    @classmethod
    def _no_horizons(cls, data: Any) -> Any:
        if isinstance(data, dict) and "horizons" in (data.get("network") or {}):
            raise ValueError("network.horizons follows from the target columns of the panel: leave it out")
        return data
