"""Calls that keep house in the middle of training: caches emptied, devices waited for, garbage collected."""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from hotloop.diagnose.call_sites import NOWHERE, Place
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_HOT = 0.8
_DEVICES = ("cuda", "mps", "xpu", "accelerator")
_OWNERS = ("gc", *(f"torch.{device}" for device in _DEVICES))
_CURES = {
    "empty_cache": "leave the cache alone, or empty it once an epoch: the next step asks for the same memory again",
    "synchronize": "take it out of the loop: reading a result waits for the device by itself",
    "collect": "take it out of the loop, or collect once an epoch; for pauses at even times gc.freeze() after set-up",
}


@dataclass(kw_only=True)
class _Line:
    """What one line called: how often, in which steps, for how many seconds."""

    calls: int = 0
    seconds: float = 0.0
    steps: set[int] = field(default_factory=set[int])


class Housekeeping:
    """Stands in the place of the functions while its window is open, wherever a module of the program has their name.

    A function that was stored elsewhere (in an object, in a closure) is not seen.
    """

    name = "housekeeping"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._lines: dict[tuple[Place, str], _Line] = {}
        self._replaced: list[tuple[dict[str, Any], str, Any, Any]] = []
        self._steps = 0
        self._depth = 0

    def is_wanted(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Put the watched functions in place."""
        watched = {id(original): (original, self._watched(title, original)) for title, original in _functions().items()}
        for space in self._namespaces():
            for name, held in list(space.items()):
                if id(held) in watched:
                    self._replaced.append((space, name, *watched[id(held)]))
        for space, name, _, call in self._replaced:
            space[name] = call

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1

    def close(self) -> None:
        """Put the functions back."""
        for space, name, original, call in self._replaced:
            if space.get(name) is call:
                space[name] = original
        self._replaced.clear()

    def report(self, step: StepTime) -> Report:
        """A finding for each line that does it in nearly every step."""
        hot = {key: line for key, line in self._lines.items() if len(line.steps) >= _HOT * self._steps}
        data = [
            [place.path, place.line, title, line.calls / self._steps, line.seconds / self._steps]
            for (place, title), line in self._lines.items()
        ]
        findings = [self._finding(place, title, line, step) for (place, title), line in hot.items()]
        return Report(findings=findings, data={"steps": self._steps, "lines": data})

    def _finding(self, place: Place, title: str, line: _Line, step: StepTime) -> Finding:
        seconds = line.seconds / self._steps
        share = step.share(seconds)
        name = title.rpartition(".")[2]
        # Emptying also makes the next step ask the driver for memory, which is not in the call: nothing bounds it.
        is_whole = name != "empty_cache" or not self._scene.is_on_cuda
        return Finding(
            code="SY08",
            path=place.path,
            line=place.line,
            per_step=line.calls / self._steps,
            share=share,
            amdahl_limit=bound(share) if is_whole else None,
            cure=_CURES[name],
            message=(
                f"{title}() runs {line.calls / self._steps:.3g} times a step and takes {1e3 * seconds:.3g} ms, "
                f"{share:.1%} of it"
            ),
            evidence={"call": title, "ms": 1e3 * seconds},
        )

    def _watched(self, title: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._scene.is_forked or self._depth:
                return original(*args, **kwargs)
            self._depth += 1
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - began
                self._depth -= 1
                self._note(title, seconds)

        call._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
        call.__doc__ = original.__doc__
        return call

    def _namespaces(self) -> list[dict[str, Any]]:
        """Globals of gc, of torch's device modules, and of what the program and its libraries imported."""
        found: list[dict[str, Any]] = []
        for name, module in list(sys.modules.items()):
            space: dict[str, Any] = getattr(module, "__dict__", {})
            file = space.get("__file__")
            if name.startswith(_OWNERS) or (isinstance(file, str) and self._scene.places.is_own(file)):
                found.append(space)
        return found

    def _note(self, title: str, seconds: float) -> None:
        place = self._scene.places.look().place
        if place != NOWHERE:
            line = self._lines.setdefault((place, title), _Line())
            line.calls += 1
            line.seconds += seconds
            line.steps.add(self._steps)


def _functions() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"gc.collect": gc.collect}
    for device in _DEVICES:
        for name in ("empty_cache", "synchronize"):
            function = getattr(getattr(torch, device, None), name, None)
            if function is not None:
                found[f"torch.{device}.{name}"] = function
    return found
