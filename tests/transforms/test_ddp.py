"""Settings and hooks of DDP on a group of one rank; real ranks are in tests/worker/test_ranks.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hotloop.errors import NotApplicable
from hotloop.transform import DDPSite, Promise
from hotloop.transforms import ddp_settings
from hotloop.transforms.comm_hook import CommHook
from hotloop.transforms.ddp_settings import DDPSettings


class Sometimes(nn.Module):
    """A model with a part that only every second step uses."""

    def __init__(self) -> None:
        super().__init__()
        self.always, self.rarely = nn.Linear(2, 2), nn.Linear(2, 2)
        self.steps = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        outputs = self.always(inputs)
        return outputs if self.steps % 2 else self.rarely(outputs)


class Turning(nn.Linear):
    """A layer whose activation is another one in every second step."""

    steps = 0

    def __init__(self) -> None:
        super().__init__(2, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return super().forward(inputs).tanh() if self.steps % 2 else super().forward(inputs).exp()


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ddp_settings.seen, "graphs", [], raising=False)
    monkeypatch.setattr(ddp_settings.seen, "num_wrapped", 0, raising=False)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def wrapped(under, plan: DDPSettings, module: nn.Module, *, steps: int = 4, **arguments):
    """The program's own wrap under a plan, and why the plan did not hold."""
    started, hooks = under(plan)
    with hooks:
        ddp = DistributedDataParallel(module, **arguments)
        for _ in range(steps):
            ddp(torch.ones(3, 2)).sum().backward()
    return ddp, started.not_applied().get("ddp_settings", "")


@pytest.mark.usefixtures("group")
def test_the_settings_reach_the_wrap_of_the_program(under) -> None:
    ddp, refusal = wrapped(under, DDPSettings(static_graph=True, bucket_mb=1.0), nn.Linear(2, 2))
    assert (ddp.gradient_as_bucket_view, ddp.static_graph, ddp.bucket_bytes_cap) == (True, True, 2**20)
    assert refusal == ""


@pytest.mark.usefixtures("group")
def test_a_graph_that_changes_is_not_static(under) -> None:
    _, refusal = wrapped(under, DDPSettings(static_graph=True), Turning())
    assert "its graph changes: 2 different ones in 4 steps" in refusal


@pytest.mark.usefixtures("group")
def test_unused_parameters_are_looked_for_where_some_are_unused(under) -> None:
    ddp, refusal = wrapped(under, DDPSettings(ignore_unused=True), nn.Linear(2, 2), find_unused_parameters=True)
    assert (ddp.find_unused_parameters, refusal) == (False, "")
    _, refusal = wrapped(under, DDPSettings(ignore_unused=True), Sometimes(), steps=1, find_unused_parameters=True)
    assert "rarely" in refusal
    assert "which DDP must be told to look for" in refusal


@pytest.mark.usefixtures("group")
def test_a_program_that_has_all_of_it_gets_nothing(under) -> None:
    _, refusal = wrapped(under, DDPSettings(), nn.Linear(2, 2), gradient_as_bucket_view=True)
    assert "with all of these settings itself" in refusal


@pytest.mark.parametrize(
    ("kind", "ranks", "words"),
    [("bf16", 1, "2 ranks or more"), ("ternary", 20, "win up to 19 ranks"), ("ternary", 1, "2 ranks or more")],
)
def test_ranks_that_cannot_win_are_refused(kind, ranks, words) -> None:
    with pytest.raises(NotApplicable, match=words):
        CommHook(kind=kind).apply(DDPSite(arguments={}, num_ranks=ranks))


def test_half_precision_is_close_and_what_compresses_further_is_statistical() -> None:
    assert CommHook(kind="fp16").promise is Promise.CLOSE
    assert {CommHook(kind=kind).promise for kind in ("powersgd", "ternary", "vsa")} == {Promise.STATISTICAL}
    with pytest.raises(ValueError, match="that of powersgd alone"):
        CommHook(rank=4)
