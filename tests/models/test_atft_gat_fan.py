import inspect

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.models.atft_gat_fan import ATFTGATFAN, PanelNetworkOptions
from hotloop.models.panel.day_neighbors import Days

PLAIN = {"dropout": 0.0, "edge_dropout": 0.0}
READS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"}
NO_WORK = {"alias", "detach", "expand", "permute", "select", "slice", "split", "split_with_sizes", "squeeze", "t"}
NO_WORK |= {"transpose", "unbind", "unsqueeze", "view", "_unsafe_view", "lift_fresh"}
NO_WORK |= {"empty", "empty_like", "empty_strided", "new_empty"}


class Operators(TorchDispatchMode):
    """Counts what torch runs on the device: views and memory that is only taken are left out."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.name().removeprefix("aten::").partition(".")[0] not in NO_WORK:
            self.names.append(function.name())
        return function(*args, **(kwargs or {}))


def days_of(*sizes):
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Days(group, torch.cat([torch.arange(size) for size in sizes]), len(sizes), max(sizes))


def network(features=12, length=20, **options):
    torch.manual_seed(0)
    return ATFTGATFAN(features, length, PanelNetworkOptions(hidden=16, **{**PLAIN, **options}))


def total(forecast):
    return sum(value.square().sum() for value in forecast if value is not None)


def step(model, x, days):
    total(model(x, days)).backward()


def test_every_parameter_is_trained_and_every_head_speaks():
    model = network(experts=3, has_student=True, has_direction=True)
    forecast = model(torch.randn(9, 20, 12), days_of(5, 4))
    assert forecast.quantiles.shape == (9, 4, 5)
    assert forecast.point.shape == (9, 4)
    assert (forecast.student.shape, forecast.direction.shape) == ((9, 4, 3), (9, 4))
    total(forecast).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_rolling_normalization_is_trained_as_its_neighbours_are():
    """A1: on copies of one step the gradient was a hundred thousandth of what it is on real steps."""
    model = network()
    step(model, torch.randn(32, 20, 12), days_of(16, 16))
    sizes = {name: p.grad.square().mean().sqrt() for name, p in model.named_parameters()}
    mixing = sizes["normalization.rolling.mixing"]
    neighbours = [sizes["normalization.slices.weight"], sizes["temporal.join.norm.weight"]]
    assert min(neighbours) / 30 < mixing < max(neighbours) * 30


def test_selection_is_a_handful_of_operators_however_many_features():
    """A2: the number of operators does not grow with the features."""
    counts = []
    for features in (4, 40):
        model, x = network(features), torch.randn(4, 20, features)
        with Operators() as found:
            total(model.selection(x)).backward()
        counts.append(len(found.names))
    assert counts[0] == counts[1] <= 110


@pytest.mark.parametrize(("parts", "most"), [({"spans": (), "neighbors": 0}, 160), ({}, 300)])
def test_a_step_has_few_operators(parts, most):
    """The three blocks of which the found model ran 54,731; then with adaptive normalisation and the graph."""
    torch.manual_seed(0)
    model = ATFTGATFAN(437, 20, PanelNetworkOptions(hidden=64, **PLAIN, **parts))
    x, days = torch.randn(16, 20, 437), days_of(16)
    with Operators() as found:
        quantiles = model(x, days).quantiles
        quantiles.backward(quantiles)
    assert len(found.names) <= most


def test_nothing_is_read_from_the_device():
    """A3: nine reads a forward there."""
    model = network(experts=2, has_student=True, has_direction=True)
    with Operators() as found:
        step(model, torch.randn(9, 20, 12), days_of(5, 4))
    assert not READS & set(found.names)


@pytest.mark.gpu
def test_a_step_on_cuda_waits_for_nothing():
    model = network(experts=2, has_student=True, has_direction=True).cuda()
    days = days_of(5, 4)
    days = days._replace(group=days.group.cuda(), place=days.place.cuda())
    x = torch.randn(9, 20, 12).cuda()
    step(model, x, days)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(model, x, days)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_inputs_in_bf16_stay_so_under_autocast():
    """A3: no cast to float32 on entry; the same numbers as from float32 inputs of the same values."""
    model, x, days = network().eval(), torch.randn(9, 20, 12).bfloat16(), days_of(5, 4)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(model(x, days).quantiles, model(x.float(), days).quantiles, atol=2e-2)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # Dynamo looks at inputs after a graph break
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by Dynamo, of a Function
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_mixture_keeps_its_regime(backend):
    """A3: there a compiled head lost its regime input without a word."""
    model = network(experts=3).eval()
    x, days = torch.randn(9, 20, 12), days_of(5, 4)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend)  # not as one graph: Dynamo leaves the LSTM to its own kernel
    assert torch.allclose(compiled(x, days).quantiles, model(x, days).quantiles, atol=1e-5)
    with torch.no_grad():
        model.quantiles.networks.regime.weight.mul_(-5.0)
    changed = compiled(x, days).quantiles
    assert torch.allclose(changed, model(x, days).quantiles, atol=1e-5)
    head = torch.compile(model.quantiles, backend=backend, fullgraph=True)
    shared, regime = torch.randn(2, 9, 8)
    assert torch.allclose(head(shared, regime), model.quantiles(shared, regime), atol=1e-5)
    assert not torch.allclose(head(shared, regime), head(shared, -regime), atol=1e-3)
    torch._dynamo.reset()


def test_the_graph_is_always_there():
    """A4: there one of two training paths never saw an edge. Here another stock of the day is heard in every call."""
    model, x, days = network().eval(), torch.randn(9, 20, 12), days_of(5, 4)
    other = x.clone()
    other[0] += 3.0
    changed = (model(x, days).quantiles - model(other, days).quantiles).abs().amax((1, 2))
    assert (changed[:5] > 1e-6).all()


def test_a_day_is_forecast_from_itself_alone():
    """No look-ahead: whatever comes in other, later days of a batch, and whatever batch a day comes in."""
    model, x = network(experts=3, has_student=True).eval(), torch.randn(9, 20, 12)
    shuffled = x.clone()
    shuffled[5:] = x[5:][torch.randperm(4)] * 7.0
    both, other, alone = (
        model(*inputs) for inputs in ((x, days_of(5, 4)), (shuffled, days_of(5, 4)), (x[:5], days_of(5)))
    )
    assert torch.equal(both.quantiles[:5], other.quantiles[:5])
    assert torch.allclose(both.quantiles[:5], alone.quantiles, atol=1e-6)


def test_a_day_of_one_stock_is_forecast():
    model = network(experts=2)
    forecast = model(torch.randn(1, 20, 12), days_of(1))
    total(forecast).backward()
    assert forecast.quantiles.isfinite().all()


@pytest.mark.parametrize("kind", [ATFTGATFAN, PanelNetworkOptions])
def test_no_name_is_defined_twice(kind):
    """A5: there two functions were defined twice, and the later one won unseen."""
    names = [line.split("def ")[1].split("(")[0] for line in inspect.getsource(kind).splitlines() if "def " in line]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "options",
    [{"levels": (0.1, 0.4, 0.9)}, {"levels": (0.5, 0.1, 0.9)}, {"heads": 3}, {"dropout": 1.0}, {"experts": 0}],
)
def test_options_that_make_no_network_are_refused(options):
    with pytest.raises(ValueError, match="got"):
        PanelNetworkOptions(**options)
