"""Panel item 7: restated blocks equal the found ones, and a compiled mixture head keeps its inputs."""

import torch

from benchmarks.claims.panel_07_compile_head import close, gap, mixture, step
from benchmarks.claims.spies import CountingBackend
from benchmarks.claims.stock_blocks import (
    Fan,
    Gat,
    Heads,
    LoopedSelection,
    MixtureHead,
    StackedSelection,
    fan_by_pooling,
    fan_by_windows,
)


def test_stacked_selection_equals_the_loop_in_values_and_gradients() -> None:
    torch.manual_seed(0)
    looped, x = LoopedSelection(9, 8).double(), torch.randn(3, 5, 9, dtype=torch.float64)
    stacked = StackedSelection(looped)
    torch.testing.assert_close(step(stacked, x), step(looped, x), rtol=1e-9, atol=1e-9)


def test_gradients_of_stacked_weights_are_those_of_the_features() -> None:
    torch.manual_seed(0)
    looped, x = LoopedSelection(4, 8).double(), torch.randn(2, 3, 4, dtype=torch.float64)
    stacked = StackedSelection(looped)
    step(stacked, x)
    step(looped, x)
    expected = torch.stack([grn.w2.weight.grad.T for grn in looped.features])
    torch.testing.assert_close(stacked.w2_weight.grad, expected, rtol=1e-9, atol=1e-12)


def test_fan_by_pooling_equals_windows_and_errs_less_in_float32() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 20, 8)
    exact = [step(Fan(8, way).double(), x.double()) for way in (fan_by_windows, fan_by_pooling)]
    torch.testing.assert_close(exact[1], exact[0], rtol=1e-8, atol=1e-8)
    assert gap(step(Fan(8, fan_by_pooling), x)[1], exact[0][1]) < 1e-4


def test_all_heads_of_the_graph_at_once_equal_one_by_one() -> None:
    torch.manual_seed(0)
    block, x, edges = Gat(16, 4), torch.randn(10, 16), torch.randint(0, 10, (2, 40))
    close({"one": step(block.one_by_one, x, edges), "all": step(block.all_at_once, x, edges)})


def test_compiled_heads_equal_eager_heads() -> None:
    torch.manual_seed(0)
    heads, x = Heads(16), torch.randn(4, 5, 16)
    backend = CountingBackend()
    close({"eager": step(heads, x), "compiled": step(torch.compile(heads, backend=backend), x)})
    assert backend.graphs == 1
    torch._dynamo.reset()


def test_a_mixture_head_loses_its_regime_when_compiled_and_called_by_signature() -> None:
    torch.manual_seed(0)
    assert list(mixture().values()) == [1, 0, 1]


def test_a_mixture_head_answers_to_its_regime() -> None:
    torch.manual_seed(0)
    head, x = MixtureHead(8), torch.randn(4, 8)
    assert not torch.allclose(head(x, torch.randn(4, 2)), head(x))
