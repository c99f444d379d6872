"""The config of `hotloop train` for PPO: environment, model, options, and how the result is evaluated."""

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hotloop.train.ppo.options import OpponentOptions, PPOOptions

_Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedConfig(BaseModel):
    """A registered name (or, for a model, an import path), and the options of what it names."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """All but the name."""
        return dict(self.model_extra or {})


class PPOEvaluationConfig(_Section):
    """`episodes` are played by the trained policy alone; in games of two, `games` against each opponent.

    Opponents are a random mover and the newest `opponents` of the weights that are kept every `keep_every` updates.
    `written_games` of each match are written as files. `deterministic` plays the likeliest action.
    """

    episodes: _Count = 20
    games: _Count = 32
    opponents: _Count = 3
    keep_every: _Count = 0
    written_games: _Count = 2
    deterministic: bool = False


class PPORunConfig(_Section):
    """Everything that a run of PPO is made of; `checkpoint_every` counts updates, 0 keeps none."""

    strategy: Literal["ppo"]
    environment: NamedConfig
    model: NamedConfig
    ppo: PPOOptions = PPOOptions()
    evaluation: PPOEvaluationConfig = PPOEvaluationConfig()
    seed: _Count = 42
    device: str = "auto"
    checkpoint_every: _Count = 10

    @field_validator("ppo", mode="before")
    @classmethod
    def _made(cls, value: Any) -> Any:
        """The options are strict about their values, and so would be about being made from a table."""
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = dict(cast("dict[str, Any]", value))
        if isinstance(made.get("opponents"), dict):
            made["opponents"] = OpponentOptions(**made["opponents"])
        return PPOOptions(**made)
