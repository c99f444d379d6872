"""Root modules under autocast."""

import copy
import io
import pickle
from collections import namedtuple
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace

import pytest
import torch
from torch import nn

from hotloop.transforms.autocast import Autocast, applied


def test_a_model_under_autocast_answers_in_fp32(under, mlp):
    model, x = mlp, torch.randn(3, 4)
    plain = model(x)
    _, hooks = under(Autocast())
    with hooks:
        lowered = model(x)
    assert lowered.dtype is torch.float32
    assert not torch.equal(lowered, plain)
    assert torch.allclose(lowered, plain, atol=0.05)


def test_a_copy_of_a_model_under_autocast_computes_with_its_own_parameters(under, mlp):
    model, x = mlp, torch.randn(3, 4)
    _, hooks = under(Autocast())
    with hooks:
        model(x)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
        assert twin(x).abs().max() == 0
        assert model(x).abs().max() > 0


def test_autocast_leaves_a_program_alone_that_autocasts_itself(under, mlp):
    started, hooks = under(Autocast())
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16):
        mlp(torch.randn(3, 4))
    assert started.refused["autocast"] == "the program already runs under autocast"


def test_autocast_starts_from_fp32(under, mlp):
    started, hooks = under(Autocast())
    with hooks:
        mlp.double()(torch.randn(3, 4).double())
    assert "float64" in started.refused["autocast"]


class Net(nn.Module):
    """Returns its logits in whatever `wrap` makes of them."""

    def __init__(self, wrap=lambda logits: logits):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(self.layer(x))


@dataclass(frozen=True)
class Frozen:
    logits: torch.Tensor
    name: str = "frozen"


Pair = namedtuple("Pair", ["logits", "size"])


@pytest.mark.parametrize(
    ("wrap", "take"),
    [
        (lambda y: {"logits": [y, 3]}, lambda o: o["logits"][0]),
        (lambda y: Pair(y, 3), lambda o: o.logits),
        (lambda y: (y, (y, None)), lambda o: o[1][0]),
        (Frozen, lambda o: o.logits),
        (lambda y: SimpleNamespace(inner=Frozen(y)), lambda o: o.inner.logits),
        (lambda y: MappingProxyType({"logits": y}), lambda o: o["logits"]),
        (lambda y: torch.distributions.Categorical(logits=y), lambda o: o.logits),
        (lambda y: torch.max(y, 1), lambda o: o.values),
    ],
    ids=["dict", "NamedTuple", "tuple", "dataclass", "object", "proxy", "distribution", "return type"],
)
def test_outputs_come_back_in_fp32_in_containers_of_their_own_kind(under, wrap, take):
    made = []
    model = Net(lambda y: made.append(wrap(y)) or made[-1])
    _, hooks = under(Autocast())
    with hooks:
        outputs = model(torch.randn(3, 4))
    assert type(outputs) is type(made[0])
    assert take(outputs).dtype is torch.float32


class Yielding(Net):
    """Yields twice, and is told what to add the second time."""

    def forward(self, x):
        added = yield self.layer(x)
        yield self.layer(x) + added
        return "end"


def test_a_generator_computes_in_bf16_and_yields_fp32_and_the_program_between_is_not_under_autocast(under):
    _, hooks = under(Autocast())
    with hooks:
        generator = Yielding()(torch.randn(3, 4))
        first = next(generator)
        assert not torch.is_autocast_enabled("cpu")
        second = generator.send(1.0)
        with pytest.raises(StopIteration, match="end"):
            next(generator)
    assert first.dtype is second.dtype is torch.float32
    assert (second - first).sub(1.0).abs().max() < 0.05
    assert not torch.equal(first.bfloat16().float(), first + 1e-3)


def test_a_forward_that_was_replaced_on_the_instance_is_the_one_that_is_called(under, mlp):
    mlp.forward = lambda x: x.new_ones(7) * mlp[0](x).sum()
    _, hooks = under(Autocast())
    with hooks:
        assert mlp(torch.randn(3, 4)).shape == (7,)


@pytest.fixture
def alone():
    """Nothing of another test is left that ran under autocast."""
    applied.clear()


@pytest.mark.usefixtures("alone")
def test_autocast_without_an_operator_in_bf16_has_changed_nothing(under):
    def forward(x):
        with torch.autocast("cpu", enabled=False):
            return model.layer(x)

    model = Net()
    model.forward = forward
    started, hooks = under(Autocast())
    with hooks:
        model(torch.randn(3, 4))
    assert started.not_applied() == {"autocast": "no operator ran in bf16 under it"}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("wrap", [lambda y: y, lambda y: y.float().square().mean()], ids=["output", "backward"])
def test_autocast_is_confirmed_by_an_output_in_bf16_or_by_what_backward_needs(under, wrap):
    model = Net(wrap)
    started, hooks = under(Autocast())
    with hooks:
        model(torch.randn(3, 4))
    assert started.not_applied() == {}


class Whole(nn.Sequential):
    """Pickles everything that it has, against torch's advice."""

    def __getstate__(self):
        return vars(self)


@pytest.mark.parametrize("kind", [nn.Sequential, Whole])
def test_pickles_and_copies_know_nothing_of_the_plan(under, kind):
    model, x = kind(nn.Linear(4, 2)), torch.randn(3, 4)
    plain = pickle.dumps(model)
    _, hooks = under(Autocast())
    with hooks:
        model(x)
        assert b"hotloop.transforms" not in pickle.dumps(model)
        assert b"hotloop.compile" not in pickle.dumps(model)
    twin = pickle.loads(pickle.dumps(model))
    assert torch.equal(twin(x), pickle.loads(plain)(x))
    assert not torch.equal(twin(x), model(x))


def traced(model, x):
    """By the function that the program finds, which also checks the trace against another call."""
    return torch.jit.trace(model, x)


@pytest.mark.parametrize(
    "made",
    [
        traced,
        lambda model, _: torch.jit.script(model),
        lambda model, x: torch.export.export(model, (x,)).module(),
        lambda model, _: torch.fx.symbolic_trace(model),
    ],
    ids=["trace", "script", "export", "fx"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_traced_or_exported_is_the_plain_model(under, mlp, made):
    x = torch.randn(3, 4)
    plain = mlp(x)
    _, hooks = under(Autocast())
    with hooks:
        assert not torch.equal(mlp(x), plain)
        exported = made(mlp, x)
    assert torch.equal(exported(x), plain)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_model_can_be_saved(under, mlp):
    _, hooks = under(Autocast())
    with hooks:
        mlp(torch.randn(3, 4))
        torch.jit.save(torch.jit.script(mlp), io.BytesIO())


def test_a_shallow_copy_computes_with_the_parameters_it_has(under, mlp):
    x = torch.randn(3, 4)
    _, hooks = under(Autocast())
    with hooks:
        mlp(x)
        twin = mlp.__new__(type(mlp))
        twin.__dict__.update(vars(mlp))
        twin.__dict__["_modules"] = {"0": nn.Linear(4, 5)}
        assert twin(x).shape == (3, 5)


def test_a_root_that_becomes_part_of_another_returns_what_it_computed(under, mlp):
    x, dtypes = torch.randn(3, 4), []
    mlp.register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    _, hooks = under(Autocast())
    with hooks:
        mlp(x)
        assert nn.Sequential(mlp, nn.Linear(2, 2))(x).dtype is torch.float32
    assert dtypes == [torch.bfloat16, torch.bfloat16]
