"""The config of `hotloop train`: what may stand in it, read from YAML, JSON or TOML.

Dotted paths (`package.module:name`) for rewards, context extractors and loaders are imported, which runs their code.
They are taken from the config alone that the user named on the command line, never from a run folder or checkpoint.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hotloop.runs.config_file import parsed_config, validated


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetConfig(_Section):
    """A registered name or a dotted path, and keywords for it."""

    target: str
    kwargs: dict[str, Any] = Field(default_factory=dict[str, Any])


class EstimatorConfig(_Section):
    """`target` is a name in hotloop.estimators or the dotted path of a class; `params` are its parameters."""

    target: str
    params: dict[str, Any] = Field(default_factory=dict[str, Any])


class WarmStartConfig(_Section):
    """The warm start; `y_key` names the targets among the data."""

    y_key: str = "y_train"
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    shuffle: bool | None = None


class HissoConfig(_Section):
    """How episodes are drawn and scored; what is left out is the estimator's default."""

    enabled: bool = True
    window: int | None = None
    batch_episodes: int | None = None
    episodes_per_batch: int | None = None
    updates_per_epoch: int | None = None
    reward: str | TargetConfig | None = None
    context_extractor: str | TargetConfig | None = None
    context_mode: Literal["per_batch", "per_series"] | None = None
    primary_transform: Literal["identity", "softmax", "tanh"] | None = None
    transition_penalty: float | None = None
    trans_cost: float | None = None
    input_noise: float | None = None
    supervised: bool | WarmStartConfig = False
    grad_clip_norm: float | None = 1.0
    mixed_precision: bool = False
    amp_dtype: Literal["bfloat16", "float16"] | None = None
    lr_max: float | None = None
    lr_min: float | None = None

    @model_validator(mode="after")
    def _one_name(self) -> "HissoConfig":
        if self.batch_episodes is not None and self.episodes_per_batch is not None:
            raise ValueError("batch_episodes and episodes_per_batch are two names of one number: give one of them")
        return self

    @property
    def episodes(self) -> int | None:
        """Episodes of an update, under either name."""
        return self.batch_episodes if self.batch_episodes is not None else self.episodes_per_batch


class DataConfig(_Section):
    """A NumPy archive, or a function that returns a mapping; keys X, y, context, prices with _train, _val, _test."""

    npz: str | None = None
    loader: str | None = None
    kwargs: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _one_source(self) -> "DataConfig":
        if (self.npz is None) == (self.loader is None):
            raise ValueError("give either npz (a path) or loader (a dotted path), and not both")
        if self.npz is not None and self.kwargs:
            raise ValueError("kwargs are for a loader; npz takes none: leave them out")
        return self


class TrainingConfig(_Section):
    """How much is said, and after how many epochs the latest checkpoint is written."""

    verbose: int = 0
    checkpoint_every: int = Field(default=1, ge=1)


class EvaluationConfig(_Section):
    """Metrics of the allocations: `portfolio_prices_key` names prices among the data, `trans_cost` their costs."""

    portfolio_prices_key: str | None = None
    trans_cost: float | None = None


class RunConfig(_Section):
    """Everything that a run is made of."""

    estimator: EstimatorConfig
    data: DataConfig
    hisso: HissoConfig = HissoConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


def read_config(path: Path) -> RunConfig:
    """The config in a .yaml, .yml, .json or .toml file. Raises ConfigError that names every wrong key."""
    return validated(RunConfig, parsed_config(path), path)
