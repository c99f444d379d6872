"""What Dynamo does in a program that compiles: graph breaks and recompiles with reason and line, and what never ran."""

import logging
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_RECOMPILES = "torch._dynamo.guards.__recompiles"  # the logger that TORCH_LOGS=recompiles switches on
_RECOMPILED = re.compile(r"Recompiling function (?P<name>\S+) in (?P<path>.+):(?P<line>\d+)")


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    """One call of torch.compile: what was compiled, and where."""

    target: Any
    place: Place
    called: "_Called | None" = None

    @property
    def module(self) -> nn.Module | None:
        if isinstance(self.target, nn.Module):
            return self.target
        owner = getattr(self.target, "__self__", None)
        return owner if isinstance(owner, nn.Module) else None

    @property
    def title(self) -> str:
        module = self.module
        return type(module).__name__ if module is not None else str(getattr(self.target, "__qualname__", self.target))

    @property
    def has_run(self) -> bool:
        """Whether it was ever called; where nobody can tell, the benefit of the doubt."""
        if self.called is not None:
            return self.called.is_called
        code = getattr(self.target, "__code__", None)
        return code is None or _has_run(code)


class Compiling:
    """Listens for the whole run; `open` and `close` bound the steps in which nothing should compile any more."""

    name = "compile"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._compiled: list[_Compiled] = []
        self._recompiles: list[tuple[Place, str, bool]] = []
        self._is_open = False
        self._before = 0.0
        self._spent = 0.0
        self._steps = 0

    @contextmanager
    def installed(self) -> Generator[None]:
        """torch.compile remembers its callers; recompiles are logged to us."""
        original = torch.compile

        def remembering(model: Any = None, **options: Any) -> Any:
            if model is None:  # a decorator with options
                return lambda function: remembering(function, **options)  # pyright: ignore[reportUnknownLambdaType]
            result: Any = original(model, **options)
            called = None
            if isinstance(result, nn.Module):
                called = _Called()
                result.register_forward_pre_hook(called)
            self._compiled.append(_Compiled(target=model, place=self._scene.places.look().place, called=called))
            return result

        remembering.__doc__ = original.__doc__
        listener = _Listener(self._note)
        logging.getLogger(_RECOMPILES).addHandler(listener)
        torch._logging.set_logs(recompiles=True)  # pyright: ignore[reportPrivateUsage]
        torch.compile = remembering  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            torch.compile = original
            logging.getLogger(_RECOMPILES).removeHandler(listener)

    @property
    def is_used(self) -> bool:
        """Whether Dynamo has compiled anything."""
        return _graphs() > 0

    def is_wanted(self) -> bool:
        """Always: whether something compiles shows only then."""
        return True

    def open(self) -> None:
        """From here on, compiling is a finding."""
        self._is_open = True
        self._before = _compile_seconds()

    def step(self) -> None:
        """Count."""
        self._steps += 1

    def close(self) -> None:
        """What compiles under a spy's mode is the spy's doing."""
        self._is_open = False
        self._spent = _compile_seconds() - self._before

    def report(self, step: StepTime) -> Report:
        """Breaks, recompiles, and what was compiled for nobody."""
        breaks = self._breaks()
        data = {
            "graphs": _graphs(),
            "graph_breaks": [[p.path, p.line, reason] for p, reason in breaks],
            "recompiles": [[p.path, p.line, reason] for p, reason, _ in self._recompiles],
            "compiled": [[c.place.path, c.place.line, c.title] for c in self._compiled],
        }
        return Report(
            findings=[*(_break(*found) for found in breaks), *self._recompiled(step), *self._never_called()], data=data
        )

    def _note(self, message: str) -> None:
        found = _RECOMPILED.search(message)
        if found is None or not (self._is_open or not self._steps):
            return
        reason = next((line.strip(" -") for line in message.splitlines() if line.strip().startswith("- ")), "")
        path = self._scene.places.original(found["path"])
        self._recompiles.append((Place(path, int(found["line"])), reason, self._is_open))

    def _breaks(self) -> list[tuple[Place, str]]:
        utils = sys.modules.get("torch._dynamo.utils")
        found: dict[tuple[Place, str], None] = {}
        for entry in getattr(utils, "graph_break_reasons", []):
            if getattr(entry, "graph_break", False) and entry.user_stack:
                frame = next((f for f in reversed(entry.user_stack) if self._scene.places.is_own(f.filename)), None)
                frame = frame or entry.user_stack[-1]
                place = Place(self._scene.places.original(frame.filename), frame.lineno)
                found[place, str(entry.reason).splitlines()[0]] = None
        return list(found)

    def _recompiled(self, step: StepTime) -> list[Finding]:
        late = [(place, reason) for place, reason, is_late in self._recompiles if is_late]
        if not late or not self._steps:
            return []
        share = step.share(self._spent / self._steps)
        place, reason = late[0]
        return [
            Finding(
                code="CO07",
                path=place.path,
                line=place.line,
                per_step=len(late) / self._steps,
                share=share,
                amdahl_limit=bound(share),
                cure="keep shapes and Python values the same, or mark what changes as dynamic",
                message=f"{len(late)} recompiles in {self._steps} steps after the warm-up: {reason}",
                evidence={"compile_s": self._spent},
            )
        ]

    def _never_called(self) -> list[Finding]:
        findings: list[Finding] = []
        for compiled in self._compiled:
            if compiled.has_run:
                continue
            module = compiled.module
            elsewhere = module is not None and any(module in set(root.modules()) for root in self._scene.roots)
            findings.append(
                Finding(
                    code="CO03" if elsewhere else "CO04",
                    path=compiled.place.path,
                    line=compiled.place.line,
                    per_step=0.0,
                    cure=(
                        "call the compiled module itself, or use module.compile()"
                        if elsewhere
                        else "call it, or take the torch.compile away"
                    ),
                    message=f"{compiled.title} is compiled here, and nothing of it was compiled in any step",
                )
            )
        return findings


class _Called:
    """A hook that remembers a call; a copy of its module begins anew."""

    def __init__(self) -> None:
        self.is_called = False

    def __call__(self, _module: nn.Module, _args: Any) -> None:
        self.is_called = True

    def __reduce__(self) -> Any:
        return (_Called, ())


class _Listener(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


def _break(place: Place, reason: str) -> Finding:
    return Finding(
        code="CO07",
        path=place.path,
        line=place.line,
        cure="keep values on the device (torch.where for a branch), or move this line out of what is compiled",
        message=f"the graph breaks here: {reason}",
    )


def _graphs() -> int:
    utils = sys.modules.get("torch._dynamo.utils")
    return 0 if utils is None else int(utils.counters["stats"]["unique_graphs"])


def _compile_seconds() -> float:
    utils = sys.modules.get("torch._dynamo.utils")
    times = getattr(utils, "compilation_time_metrics", {})
    return float(sum(times.get("_compile.compile_inner", ())))


def _has_run(code: Any) -> bool:
    """Whether Dynamo has entries for this code; where it cannot be asked, the benefit of the doubt."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    entries = getattr(frames, "_debug_get_cache_entry_list", None)
    return True if entries is None else bool(entries(code))
