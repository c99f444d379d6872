"""What happened in a run: one frozen dataclass a kind of event, with its payload as fields."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from hotloop.train.finite_json import finite_json

_kinds: dict[str, type["Event"]] = {}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened after `epoch` epochs of training; `type` names the kind.

    Fields are strings, numbers, booleans, None, and tuples or mappings of those. Raises TypeError where two kinds have
    one name.
    """

    type: ClassVar[str] = ""
    epoch: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if _kinds.setdefault(cls.type, cls).__qualname__ != cls.__qualname__ or not cls.type:
            raise TypeError(f"{cls.__qualname__} has the type {cls.type!r}; it must be its own: choose another")

    def record(self) -> dict[str, Any]:
        """The event in JSON types; what is not finite becomes null."""
        return {"type": self.type, **finite_json(dataclasses.asdict(self))}


def event_kinds() -> dict[str, type[Event]]:
    """All kinds of events that are loaded, by type."""
    return dict(_kinds)


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """Training begins, or goes on from a checkpoint."""

    type: ClassVar[str] = "run_started"
    workload: str
    seed: int
    device: str
    is_resumed: bool = False


@dataclass(frozen=True, kw_only=True)
class EpochEnded(Event):
    """An epoch was trained and validated."""

    type: ClassVar[str] = "epoch_ended"
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    num_parameters: int
    num_nonfinite: int = 0


@dataclass(frozen=True, kw_only=True)
class GradientsSeen(Event):
    """Gradient norms of an epoch, by layer; `taken` says where in the step."""

    type: ClassVar[str] = "gradients_seen"
    taken: str
    mean: float
    max: float
    num_nonfinite: int
    worst_step: int
    layers: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class CompileFellBack(Event):
    """Steps of one architecture run eagerly, because compiling failed or the recompile limit was hit."""

    type: ClassVar[str] = "compile_fell_back"
    architecture: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunEnded(Event):
    """Training is over."""

    type: ClassVar[str] = "run_ended"
    validation_accuracy: float
    num_parameters: int
