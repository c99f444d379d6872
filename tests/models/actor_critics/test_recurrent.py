import pytest
import torch

from hotloop import models
from hotloop.errors import ModelError


def history(lived, total=5, features=3):
    rows = torch.zeros(1, total, features)
    rows[0, :lived] = torch.randn(lived, features, generator=torch.Generator().manual_seed(lived))
    rows[0, :lived, 0] = 1.0
    return rows


def recurrent(**options):
    torch.manual_seed(0)
    return models.create("recurrent", **{"observation_size": 15, "history": 5, "num_actions": 4, **options})


def test_the_state_is_that_after_the_last_row_that_was_lived_through():
    model = recurrent()
    rows = history(3)
    states, _ = model.lstm(model.inputs(rows[:, :3]))
    logits, value = model(rows)
    expected = model.norm(states[:, -1])
    assert torch.allclose(logits, model.policy(expected), atol=1e-6)
    assert torch.allclose(value, model.value(expected).squeeze(1), atol=1e-6)


def test_gradients_go_back_to_the_first_row():
    rows = history(4).requires_grad_()
    recurrent()(rows)[1].sum().backward()
    assert (rows.grad[0, :4].abs().sum(1) > 0).all()
    assert (rows.grad[0, 4] == 0).all()


def test_rows_of_a_batch_do_not_depend_on_each_other():
    model = recurrent()
    batch = torch.cat([history(lived) for lived in (1, 3, 5)])
    together, _ = model(batch)
    alone = torch.cat([model(row[None])[0] for row in batch])
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_history_that_does_not_divide_the_observation_is_refused():
    with pytest.raises(ModelError, match="give a multiple"):
        recurrent(observation_size=16)
