"""Traps of the training-loop review: compile caches, failures, gradient health, devices, weights, loaders."""

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.claims import growth_h1_compile_cache as h1
from benchmarks.claims import growth_l1_swallowed_failure as l1
from benchmarks.claims import growth_m1_output_rank as m1
from benchmarks.claims.growth_h2_gradient_timing import RunningHealth, explosions_seen
from benchmarks.claims.growth_m2_device_check import BAD, GOOD, checked, wrong
from benchmarks.claims.growth_m3_loss_weighting import by_tokens, gap
from benchmarks.claims.growth_t1_device_transfer import advice
from benchmarks.claims.growth_t3_deferred_sync import DEFERRED, METER, STEPS, counts
from benchmarks.claims.growth_t5_accumulator_dtype import default_dtype_mean
from benchmarks.claims.growth_t7_cuda_graphs import ByShape
from benchmarks.claims.spies import CountingBackend
from hotloop.errors import WorkloadError


@pytest.fixture(autouse=True)
def _fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_own_code_objects_compile_every_architecture_once() -> None:
    widths = [h1.network(width=8 + number) for number in range(h1.ARCHITECTURES)]
    assert h1.compiles(widths, h1.one_step)[-1] == 8
    assert h1.compiles(widths, h1.keyed)[-1] == 8
    assert h1.compiles(widths, h1.CompiledSteps, rounds=2) == [12, 12]


def test_compiled_steps_give_eager_losses() -> None:
    steps, criterion = h1.CompiledSteps(CountingBackend()), nn.MSELoss()
    for model in (h1.network(), h1.network(width=12)):
        batch = torch.randn(16, 8), torch.randn(16, 4)
        torch.testing.assert_close(steps(model, *batch, criterion), h1.train_step(model, *batch, criterion))


def test_reaching_the_recompile_limit_warns_and_runs_eagerly() -> None:
    backend, model, batch = CountingBackend(), h1.network(), (torch.randn(16, 8), torch.randn(16, 4))
    steps = h1.CompiledSteps(backend)
    scales = [nn.Module() for _ in range(12)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number, scale in enumerate(scales):
            scale.forward = lambda outputs, targets, number=number: ((outputs - targets) * number).square().mean()
            steps(model, *batch, scale)
    assert [str(warning.message) for warning in caught if "too often" in str(warning.message)] == [
        "Sequential was recompiled too often and runs eagerly from now on"
    ]


def test_a_failing_compiler_warns_once_and_training_goes_on() -> None:
    function = l1.GuardedCompile(l1.double, backend=l1.failing_backend)
    with pytest.warns(UserWarning, match="compiling failed with ValueError: this backend compiles nothing"):
        first = function(torch.ones(2))
    assert torch.equal(first, torch.full((2,), 2.0))
    assert torch.equal(function(torch.ones(2)), torch.full((2,), 2.0))
    function.retry()
    with pytest.warns(UserWarning, match="compiling failed"):
        function(torch.ones(2))


def test_out_of_memory_and_errors_of_the_user_pass() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        l1.GuardedCompile(l1.double, backend=l1.full_backend)(torch.ones(2))

    def wrong_call(values: torch.Tensor) -> torch.Tensor:
        raise TypeError("the user's own")

    with pytest.raises(TypeError, match="the user's own"):
        l1.GuardedCompile(wrong_call, backend=CountingBackend())(torch.ones(2))


def test_one_bad_batch_at_any_place_is_reported_by_the_running_maximum() -> None:
    assert all(explosions_seen(place)["running maximum"] for place in (0, 1, 57, 99))
    assert not explosions_seen(3)["every 10th batch"]


def test_health_counts_what_is_not_finite_and_reads_once() -> None:
    health = RunningHealth()
    for value in (3.0, math.nan, 4.0, math.inf):
        health.add([torch.full((1,), value)])
    assert health.read() == {"largest": 4.0, "mean": 3.5, "nonfinite": 2.0}


def test_a_branch_on_the_rank_breaks_nothing() -> None:
    assert list(m1.counts().values()) == [0, 0, 2, 0, 2]


def test_devices_are_checked_by_kind_and_number() -> None:
    assert wrong(checked) == []
    assert [str(checked(device, {"cpu": 1, "cuda": 1})) for device in GOOD] == ["cpu", "cuda", "cuda:0", "cuda:0"]
    for device in BAD:
        with pytest.raises(ValueError, match="this machine has cpu"):
            checked(device, {"cpu": 1, "cuda": 1})


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 23), max_size=5), st.booleans())
def test_weighted_means_equal_one_batch_of_everything(cuts: set[int], is_weighted: bool) -> None:
    edges = [0, *sorted(cuts), 24]
    sizes = [right - left for left, right in itertools.pairwise(edges)]
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0, 4.0]) if is_weighted else None
    assert gap(by_tokens(sizes, weight=weights)) < 1e-6


def test_an_empty_loader_raises() -> None:
    from benchmarks.claims.growth_l2_empty_loader import clamped_mean, job
    from hotloop.train.loop import train

    assert clamped_mean([]) == 0.0
    with pytest.raises(WorkloadError, match="gave no batch"):
        train(job([]), epochs=1)


def test_unpinned_loaders_get_advice_only_where_there_is_a_gpu() -> None:
    loader = DataLoader(TensorDataset(torch.zeros(4, 1)))
    assert advice(loader, torch.device("cpu")) == ""
    assert "pin_memory=True" in advice(loader, torch.device("cuda"))


def test_nothing_is_read_inside_the_loop_and_once_after_it() -> None:
    found = counts()
    assert [found[f"host reads inside {STEPS} steps, {name}"] for name in (DEFERRED, METER)] == [0, 0]
    assert found[f"host reads after them, {METER}"] == 1


def test_sums_do_not_follow_the_default_dtype() -> None:
    assert default_dtype_mean() == 2.5
    assert torch.get_default_dtype() == torch.float32


def test_a_batch_of_another_size_runs_outside_the_graph() -> None:
    route = ByShape(torch.sin, torch.cos, usual=4)
    assert torch.equal(route(torch.zeros(4)), torch.zeros(4))
    assert torch.equal(route(torch.zeros(3)), torch.ones(3))
    assert route.num_plain == 1
