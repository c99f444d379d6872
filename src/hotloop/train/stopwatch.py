"""Where the time of a loop goes: each mark charges the time since the last mark to one phase."""

from collections import defaultdict
from time import perf_counter
from typing import Literal, Protocol

import torch

Phases = Literal["auto", "off", "on"]


class Stopwatch(Protocol):
    """Charges time to phases."""

    def start(self) -> None:
        """Begin; nothing before this is charged."""
        ...

    def mark(self, phase: str) -> None:
        """Charge everything since the last mark to `phase`."""
        ...

    def seconds(self) -> dict[str, float]:
        """Time of each phase so far; may wait for the device."""
        ...


class HostStopwatch:
    """Reads the host's clock at each mark: right where operations run at once, as on the CPU."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._last = perf_counter()

    def start(self) -> None:
        self._last = perf_counter()

    def mark(self, phase: str) -> None:
        now = perf_counter()
        self._seconds[phase] += now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        return dict(self._seconds)


class DeviceStopwatch:
    """Records a CUDA event at each mark; nothing is read before `seconds`, which waits for the device."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._events: list[tuple[str, torch.cuda.Event]] = []

    def start(self) -> None:
        self.mark("")

    def mark(self, phase: str) -> None:
        """Charge everything on the stream since the last mark to `phase`."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._events.append((phase, event))

    def seconds(self) -> dict[str, float]:
        """Time of each phase so far, after the device has finished."""
        torch.cuda.synchronize()
        for (_, before), (phase, after) in zip(self._events, self._events[1:], strict=False):
            self._seconds[phase] += before.elapsed_time(after) / 1e3
        self._events = self._events[-1:]
        self._seconds.pop("", None)
        return dict(self._seconds)


class NoStopwatch:
    """Charges nothing."""

    def start(self) -> None:
        """Nothing."""

    def mark(self, phase: str) -> None:
        """Nothing."""

    def seconds(self) -> dict[str, float]:
        """No phases."""
        return {}


def stopwatch_for(phases: Phases, device: torch.device) -> Stopwatch:
    """The stopwatch for `phases`: on the host always but for "off", on a GPU only for "on", where each mark costs."""
    is_cuda = device.type == "cuda"
    if phases == "off" or (phases == "auto" and is_cuda):
        return NoStopwatch()
    return DeviceStopwatch() if is_cuda else HostStopwatch()
