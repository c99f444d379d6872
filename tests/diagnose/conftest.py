"""Diagnosed runs, each made once; and a trace context for probes that are tried in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from hotloop.diagnose.call_sites import CallSites
from hotloop.diagnose.diagnosis import Diagnosis
from hotloop.diagnose.phase_hooks import PhaseHooks
from hotloop.diagnose.probe import Probe
from hotloop.diagnose.trace import TraceOptions, trace
from hotloop.diagnose.trace_context import TraceContext
from hotloop.workload import parse_workload
from hotloop.workloads.scratch import Scratch

PROGRAMS = Path(__file__).parent / "programs"
SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="session")
def diagnosed() -> Callable[..., Diagnosis]:
    """What a program was seen to do; runs are kept."""
    kept: dict[tuple[str, ...], Diagnosis] = {}

    def diagnose(path: Path, *arguments: str) -> Diagnosis:
        call = (str(path), *arguments)
        if call not in kept:
            workload = parse_workload(path.name, arguments, folder=path.parent)
            kept[call] = trace(workload, TraceOptions(steps=12, budget=6.0))
        return kept[call]

    return diagnose


@pytest.fixture
def context(tmp_path: Path) -> TraceContext:
    """A trace context without a scratch copy."""
    return TraceContext(call_sites=CallSites(Scratch(folder=tmp_path, roots=())))


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.large = nn.Sequential(nn.Linear(256, 1024), nn.Tanh(), nn.Linear(1024, 256))
        self.small = nn.Linear(256, 1)

    def forward(self, x):
        return self.small(self.large(x))


@pytest.fixture
def training(context: TraceContext) -> Iterator[tuple[nn.Module, Callable[[], None]]]:
    """A model, and a function that makes one step of it under the hooks of phases."""
    model = Blocks()
    context.roots.append(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x = torch.randn(64, 256)

    def step():
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    with PhaseHooks(context).installed():
        step()
        yield model, step


def marked(path: Path, *marks: str) -> dict[int, str]:
    """Lines of a file that end in a comment with one of these marks."""
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        comment = line.rpartition("  # ")[2] if "  # " in line else ""
        for mark in marks:
            if mark in comment.split() or comment == mark:
                found[number] = mark
    return found


def probe_steps(probe: Probe, step: Callable[[], object], *, steps: int = 1) -> None:
    """Calls `step` so many times under an active probe."""
    with probe.active():
        for _ in range(steps):
            step()
            probe.step()
