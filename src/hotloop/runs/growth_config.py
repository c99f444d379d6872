"""The config of `hotloop train` for a network that grows: `strategy = "growth"`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import ClockOptions, GovernorOptions, GrowthOptions, PlateauOptions
from hotloop.workloads.growth.heuristic import HeuristicOptions

_Count = Annotated[int, Field(ge=0)]
_TABLES: dict[str, Callable[..., Any]] = {
    "gates": GateLimits,
    "clock": ClockOptions,
    "plateau": PlateauOptions,
    "governor": GovernorOptions,
}


class GrowthRunConfig(BaseModel):
    """Everything that a run is made of; `checkpoint_every` counts epochs, 0 keeps none.

    `controller` "heuristic" decides by the rules in `heuristic`; "none" never grows, which is the static host.
    `governor = false` in [growth] leaves training alone whatever happens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    strategy: Literal["growth"]
    task: str
    controller: Literal["heuristic", "none"] = "heuristic"
    growth: GrowthOptions = GrowthOptions()
    heuristic: HeuristicOptions = HeuristicOptions()
    seed: _Count = 42
    device: str = "auto"
    checkpoint_every: _Count = 1

    @field_validator("growth", mode="before")
    @classmethod
    def _made_growth(cls, value: Any) -> Any:
        """The options are strict about their values, and so would be about being made from tables."""
        if not isinstance(value, dict):
            return value
        made = {
            name: _TABLES[name](**item) if name in _TABLES and isinstance(item, dict) else item
            for name, item in _tuples(value).items()
        }
        if made.get("governor") is False:
            made["governor"] = None
        return GrowthOptions(**made)

    @field_validator("heuristic", mode="before")
    @classmethod
    def _made_heuristic(cls, value: Any) -> Any:
        return HeuristicOptions(**_tuples(value)) if isinstance(value, dict) else value


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(item) if isinstance(item, list) else item for name, item in table.items()}
