"""Growth L3: telemetry events built in place, by a helper with keywords, or from a typed payload."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.growth_l1_swallowed_failure import raised
from benchmarks.claims.spies import Spy
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

SIZE, EVENTS = "100 events of 8 fields", 100
IN_PLACE, HELPER, TYPED = "built in place", "helper with keywords", "typed payload"


@dataclass(frozen=True, kw_only=True)
class Event:
    kind: str
    epoch: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EpochCompleted:
    """What an epoch says, each field with a name and a type."""

    env: int
    episode: str
    mode: str
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    action: str

    def event(self, epoch: int) -> Event:
        return Event(kind="epoch_completed", epoch=epoch, data=vars(self))


class Hub:
    """Gives every event to every backend."""

    def __init__(self) -> None:
        self.backends: list[Callable[[Event], object]] = []

    def emit(self, event: Event) -> None:
        for backend in self.backends:
            backend(event)


FIELDS: Mapping[str, Any] = {
    "env": 0,
    "episode": "heuristic-42",
    "mode": "heuristic",
    "train_loss": 0.5,
    "train_accuracy": 80.0,
    "val_loss": 0.6,
    "val_accuracy": 78.0,
    "action": "wait",
}


def emit_epoch_completed(hub: Hub, *, epoch: int, **metrics: Any) -> None:
    """What the claim proposes."""
    hub.emit(Event(kind="epoch_completed", epoch=epoch, data=metrics))


def in_place(hub: Hub, epoch: int, fields: Mapping[str, Any]) -> None:
    hub.emit(Event(kind="epoch_completed", epoch=epoch, data={**fields}))


def by_helper(hub: Hub, epoch: int, fields: Mapping[str, Any]) -> None:
    emit_epoch_completed(hub, epoch=epoch, **fields)


def typed(hub: Hub, epoch: int, fields: Mapping[str, Any]) -> None:
    hub.emit(EpochCompleted(**fields).event(epoch))


WAYS: Mapping[str, Callable[[Hub, int, Mapping[str, Any]], None]] = {
    IN_PLACE: in_place,
    HELPER: by_helper,
    TYPED: typed,
}


def emit_all(way: Callable[[Hub, int, Mapping[str, Any]], None]) -> list[Event]:
    seen: list[Event] = []
    hub = Hub()
    hub.backends.append(seen.append)
    for epoch in range(EVENTS):
        way(hub, epoch, FIELDS)
    return seen


def comparison() -> Comparison:
    def check(results: Mapping[str, list[Event]]) -> None:
        assert all(events == results[IN_PLACE] for events in results.values())

    return Comparison(variants={name: (lambda way=way: emit_all(way)) for name, way in WAYS.items()}, check=check)


def counts() -> Mapping[str, float]:
    misspelt = {**{name: value for name, value in FIELDS.items() if name != "val_loss"}, "vall_loss": 0.6}
    found = {
        f"misspelt field noticed, {name}": int(raised(lambda way=way: way(Hub(), 0, misspelt)) is not None)
        for name, way in WAYS.items()
    }
    with Spy() as spy:
        emit_all(typed)
    return {**found, "host reads of 100 events": spy.reads}


def judge(seen: Evidence) -> Judgement:
    helper, payload = (seen.count(f"misspelt field noticed, {name}") for name in (HELPER, TYPED))
    cost = seen.seconds(SIZE, TYPED).ratio / EVENTS
    ruling = Ruling.HOLDS if helper else Ruling.HALF if payload else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=f"misspelt field noticed: helper {digits(helper)} of 1, typed payload {digits(payload)} of 1. Speed: "
        f"helper {times(seen.ratio(SIZE, HELPER))}, typed {times(seen.ratio(SIZE, TYPED))}, {span(cost)} an event, "
        f"{digits(seen.count('host reads of 100 events'))} host reads",
        why="A matter of style, and no clock judges that. A helper that takes any keyword shortens the call but checks "
        "nothing; a typed payload does.",
    )


CLAIM = Claim(
    item="L3",
    title="telemetry emitters",
    text="Large events built in place are hard to read; emit them through helper functions.",
    figure="readability",
    judge=judge,
    sizes={SIZE: comparison},
    counts=counts,
)
