"""More units in a layer while it trains."""

import pytest
import torch
from torch import nn

from hotloop.errors import WorkloadError
from hotloop.workloads.growth.widening import widen

OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2),
    "amsgrad": lambda p: torch.optim.AdamW(p, lr=1e-2, amsgrad=True),
}


@pytest.fixture
def trained():
    """Two layers after three steps, and a step function."""

    def build(optimizer):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        made = OPTIMIZERS[optimizer](model.parameters())
        inputs = torch.randn(16, 3)

        def step():
            made.zero_grad()
            model(inputs).square().mean().backward()
            made.step()

        for _ in range(3):
            step()
        return model, made, step, inputs

    return build


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_function_stays_and_so_does_the_state_of_what_was_there(trained, name):
    model, optimizer, step, inputs = trained(name)
    outputs = model(inputs).detach()
    before = {
        parameter: {key: value.clone() for key, value in optimizer.state[layer_parameter].items()}
        for parameter, layer_parameter in (("in", model[0].weight), ("bias", model[0].bias), ("out", model[2].weight))
    }
    widen(model[0], model[2], 5, optimizer)
    torch.testing.assert_close(model(inputs), outputs, rtol=0.0, atol=1e-6)
    now = {"in": model[0].weight, "bias": model[0].bias, "out": model[2].weight}
    for part, parameter in now.items():
        for key, value in optimizer.state[parameter].items():
            was = before[part][key]
            kept = value[tuple(slice(size) for size in was.shape)] if was.dim() else value
            assert kept.equal(was)
            assert was.dim() == 0 or value.count_nonzero() == was.count_nonzero(), "what is new has no state"
    assert (model[0].out_features, model[2].in_features) == (9, 9)
    assert set(optimizer.state) == set(model.parameters())
    step()
    assert model[2].weight[:, 4:].abs().sum() > 0, "new units are trained"


def test_without_state_there_is_none_to_keep():
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    widen(model[0], model[1], 1, optimizer)
    assert not optimizer.state
    assert [tuple(p.shape) for p in optimizer.param_groups[0]["params"]] == [(5, 3), (2, 5), (2,)]


@pytest.mark.parametrize(("layers", "units"), [((4, 4), 0), ((4, 3), 1)])
def test_layers_that_do_not_fit_are_refused(layers, units):
    first, second = nn.Linear(2, layers[0]), nn.Linear(layers[1], 2)
    with pytest.raises(WorkloadError, match="two layers that follow each other"):
        widen(first, second, units, torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1))
