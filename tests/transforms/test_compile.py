"""torch.compile on root modules, in place."""

import copy

import pytest
import torch
import torch._functorch.config
from torch import nn
from torch._dynamo.utils import counters

from hotloop.compile.root_call import instead_of_call
from hotloop.errors import PlanError
from hotloop.transform import Plan, limit_met
from hotloop.transforms.compile import Compile

# Dynamo looks at the gradients of its inputs and hides torch's warning; where warnings are errors it cannot.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


def test_compile_keeps_the_keys_of_the_state(under, mlp):
    keys = list(mlp.state_dict())
    started, hooks = under(Compile(backend="aot_eager"))
    with hooks:
        mlp(torch.randn(3, 4)).sum().backward()
    assert started.applied["compile"] == 1
    assert list(mlp.state_dict()) == keys
    started.plan.transforms[0].confirm()


@pytest.mark.parametrize("compiled", ["wrapped", "in place", "inside"])
def test_compile_leaves_a_program_alone_that_compiles_itself(under, mlp, compiled):
    called = torch.compile(mlp, backend="eager") if compiled == "wrapped" else mlp
    if compiled != "wrapped":
        (mlp if compiled == "in place" else mlp[0]).compile(backend="eager")
    started, hooks = under(Compile(backend="eager"))
    with hooks:
        called(torch.randn(3, 4))
    assert started.applied["compile"] == 0
    assert "already compiles" in started.refused["compile"]


@pytest.fixture
def tower() -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3)]
    return nn.Sequential(nn.Linear(4, 4), *blocks, nn.Linear(4, 2))


@pytest.mark.parametrize("layers", ["repeated", "1, 2", "?", "4:default"])
def test_layers_alone_train_as_eager_does_and_keep_the_keys(under, tower, layers):
    plain, x = copy.deepcopy(tower), torch.randn(3, 4)
    wanted = torch.autograd.grad(plain(x).sum(), list(plain.parameters()))
    started, hooks = under(Compile(backend="aot_eager", layers=layers))
    with hooks:
        got = torch.autograd.grad(tower(x).sum(), list(tower.parameters()))
    torch.testing.assert_close(got, wanted)
    assert started.applied["compile"] == 1
    assert list(tower.state_dict()) == list(plain.state_dict())
    started.plan.transforms[0].confirm()


def test_a_model_without_repeated_blocks_is_refused(under, mlp):
    started, hooks = under(Compile(backend="eager", layers="repeated"))
    with hooks:
        mlp(torch.randn(3, 4))
    assert "no block of layers is there 3 times" in started.refused["compile"]


def test_a_name_that_no_layer_has_compiles_nothing_at_all(under, tower):
    started, hooks = under(Compile(backend="eager", layers="1, tail"))
    with hooks:
        tower(torch.randn(3, 4))
        assert all(instead_of_call(block) is None for block in tower)
    assert "named 'tail'" in started.refused["compile"]


@pytest.mark.parametrize("layers", ["", "a,", ":default", "head:fast"])
def test_layers_that_name_none_or_no_mode_are_refused(layers):
    with pytest.raises(PlanError, match=r"names such as 'blocks\.\*'"):
        Plan.from_data([{"name": "compile", "layers": layers}])


def test_equal_models_under_other_memory_budgets_are_compiled_each_for_its_own(under):
    graphs, config = [], torch._functorch.config
    with config.patch(activation_memory_budget=1.0):
        for budget in (1.0, 0.5, 0.5):
            model, before = nn.Sequential(nn.Linear(5, 5), nn.Tanh()), counters["stats"]["unique_graphs"]
            _, hooks = under(Compile(backend="aot_eager", memory_budget=budget))
            with hooks:
                model(torch.randn(3, 5)).sum().backward()
            graphs.append(counters["stats"]["unique_graphs"] - before)
    assert graphs == [1, 1, 0]


def test_a_memory_budget_is_a_share_and_is_set_for_the_process(under, mlp):
    with pytest.raises(PlanError, match=r"a share from 0 to 1, got 1\.5"):
        Plan.from_data([{"name": "compile", "memory_budget": 1.5}])
    config = torch._functorch.config
    with config.patch(activation_memory_budget=1.0):
        _, hooks = under(Compile(backend="aot_eager", memory_budget=0.5))
        with hooks:
            mlp(torch.randn(3, 4)).sum().backward()
        assert config.activation_memory_budget == 0.5


def test_gradients_of_gradients_are_a_limit_and_other_errors_are_the_programs_own(under):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    started, hooks = under(Compile(backend="aot_eager"))
    x = torch.randn(3, 4, requires_grad=True)
    with hooks:
        (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError) as raised:
            slope.square().sum().backward()
    assert "create_graph=True" in str(limit_met(started.plan, raised.value))
    assert limit_met(Plan(), raised.value) is None
    assert limit_met(started.plan, RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
