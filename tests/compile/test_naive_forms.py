"""What compilers are given to in the obvious way, beside ours: the obvious one fails without a word, by counting."""

import functools

import pytest
import torch
from torch import nn
from torch._dynamo import exc
from torch._dynamo.utils import counters

from hotloop import models
from hotloop.compile.by_architecture import ArchitectureCompiler
from hotloop.errors import NotApplicable
from hotloop.train.strategies.supervised import Supervised
from hotloop.transform import Plan, Stage
from hotloop.transforms.compile import Compile
from hotloop.workloads.started_plan import start

# Dynamo looks at the gradients of its inputs and hides torch's warning; where warnings are errors it cannot.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
MSE = Supervised(criterion=nn.functional.mse_loss)
EAGERLY = "ignore:.*could not be compiled:RuntimeWarning"


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def graphs():
    return counters["stats"]["unique_graphs"]


def policy():
    torch.manual_seed(0)
    return models.create("simple_cnn", input_channels=2, num_actions=7)


def under_plan(model):
    started = start(Plan((Compile(backend="aot_eager"),)))
    started.visit(Stage.MODULE, model)
    return started


def one_loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)


def network(width):
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, 3))


def batch():
    return torch.randn(4, 3), torch.randn(4, 3)


def test_co01_one_compiled_function_stops_at_eight_architectures_even_with_a_cache_of_keys():
    compiled = torch.compile(one_loss, backend="eager", dynamic=False)
    by_key = functools.cache(lambda width: torch.compile(one_loss, backend="eager", dynamic=False))
    for naive in (lambda width: compiled, by_key):
        torch._dynamo.reset()
        counters.clear()
        for width in range(12):
            naive(width)(network(width + 1), *batch())
        assert graphs() == 8
    torch._dynamo.reset()
    counters.clear()
    ours = ArchitectureCompiler(MSE, backend="eager")
    for width in range(12):
        model = network(width + 1)
        ours.of(model).loss(model, batch())
    assert graphs() == 12


def broken(error):
    def backend(graph, inputs):
        raise error

    return backend


@pytest.mark.filterwarnings(EAGERLY)
def test_co02_and_l1_a_try_around_the_wrap_catches_nothing_and_one_around_the_call_too_much():
    model, given = network(2), batch()
    try:
        compiled = torch.compile(one_loss, backend=broken(ValueError("no such operator")))
    except (RuntimeError, NotImplementedError):
        pytest.fail("the wrap raised")
    with pytest.raises(exc.BackendCompilerFailed, match="no such operator"):
        compiled(model, *given)
    ours = ArchitectureCompiler(MSE, backend=broken(ValueError("no such operator")))
    assert ours.of(model).loss(model, given).value.equal(one_loss(model, *given))
    full = torch.OutOfMemoryError("CUDA out of memory")
    assert isinstance(full, RuntimeError)  # so that a fallback for RuntimeError would hide it
    with pytest.raises(RuntimeError, match="out of memory"):
        ArchitectureCompiler(MSE, backend=broken(full)).of(model).loss(model, given)


def test_co03_and_e4_a_wrapped_policy_runs_its_methods_eagerly_and_a_planned_one_compiled():
    boards, actions = torch.randn(3, 2, 9, 9), torch.full((3,), 4)
    wrapped = torch.compile(policy(), backend="aot_eager")
    wrapped.get_action_and_value(boards)
    wanted = wrapped.evaluate_actions(boards, actions)
    assert graphs() == 0
    assert all(name.startswith("_orig_mod.") for name in wrapped.state_dict())
    ours = policy()
    under_plan(ours)
    ours.get_action_and_value(boards)
    assert graphs() == 1
    torch.testing.assert_close(ours.evaluate_actions(boards, actions), wanted)
    assert graphs() == 2  # the one with gradients
    assert list(ours.state_dict()) == list(policy().state_dict())


def test_co04_a_compiled_path_that_is_never_reached_is_no_plan_that_ran():
    model = policy()
    compile_ = under_plan(model).plan.transforms[0]
    model.distribution.log_probs(torch.randn(3, 7), torch.zeros(3, dtype=torch.int64), None)
    with pytest.raises(NotApplicable, match="no compiled module was called"):
        compile_.confirm()
    model(torch.randn(3, 2, 9, 9))
    compile_.confirm()


def test_co07_a_check_for_nan_breaks_the_graph_of_a_policy_and_ours_is_one_graph():
    mask = torch.ones(3, 7, dtype=torch.bool)

    def naive(logits, actions):
        probabilities = logits.masked_fill(~mask, float("-inf")).softmax(-1)
        if torch.isnan(probabilities).any():
            probabilities = torch.full_like(probabilities, 1 / 7)
        chosen = torch.distributions.Categorical(probs=probabilities, validate_args=False)
        return chosen.log_prob(actions), chosen.entropy()

    def ours(logits, actions):
        return policy_of_seven.evaluate(logits, actions, mask)

    policy_of_seven = policy().distribution
    given = torch.randn(3, 7), torch.full((3,), 4)
    with pytest.raises(exc.Unsupported, match=r"[Dd]ata.dependent"):
        torch.compile(naive, backend="eager", fullgraph=True)(*given)
    got = torch.compile(ours, backend="eager", fullgraph=True)(*given)
    torch.testing.assert_close(got, naive(*given))


def branching_loss(model, inputs, targets):
    """The reviewed step, which was said to break the graph."""
    outputs = model(inputs)
    if outputs.dim() == 3:
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
    return nn.functional.cross_entropy(outputs, targets)


def test_m1_a_branch_on_the_rank_is_decided_while_tracing_and_two_entry_points_give_the_same_losses():
    model = nn.Linear(4, 5)
    flat = torch.randn(6, 4), torch.randint(5, (6,))
    deep = torch.randn(2, 6, 4), torch.randint(5, (2, 6))
    step = torch.compile(branching_loss, backend="eager", fullgraph=True)
    by_task = {6: lambda x, y: nn.functional.cross_entropy(model(x), y)}
    by_task[2] = lambda x, y: nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
    for _ in range(5):
        for inputs, targets in (flat, deep):
            assert step(model, inputs, targets).equal(by_task[len(inputs)](inputs, targets))
    assert graphs() == 2
    assert not counters["graph_break"]
