import pytest
import torch
from torch import nn

from hotloop.train.averaging import EMAWeights


def test_the_average_is_the_exponential_one_and_the_model_keeps_its_own() -> None:
    model = nn.Linear(1, 1, bias=False)
    ema, expected = EMAWeights(model, decay=0.5), None
    for value in (1.0, 3.0, 7.0):
        with torch.no_grad():
            model.weight.fill_(value)
        ema.update()
        expected = value if expected is None else 0.5 * expected + 0.5 * value
    address = model.weight.data_ptr()
    with ema.applied() as averaged:
        assert averaged is model
        assert model.weight.item() == expected == 4.5
    assert model.weight.item() == 7.0
    assert model.weight.data_ptr() == address


def test_an_error_while_evaluating_leaves_the_own_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    ema = EMAWeights(model)
    ema.update()
    with torch.no_grad():
        model.weight.fill_(2.0)

    def evaluate():
        with ema.applied():
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        evaluate()
    assert model.weight.item() == 2.0


def test_averages_go_on_from_their_state() -> None:
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    first, second = EMAWeights(model), EMAWeights(other)
    first.update()
    second.load_state_dict(first.state_dict())
    with second.applied():
        assert torch.equal(other.weight, model.weight)


def test_the_decay_is_checked() -> None:
    with pytest.raises(ValueError, match="decay"):
        EMAWeights(nn.Linear(1, 1), decay=1.0)
