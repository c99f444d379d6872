import pytest
import torch

from hotloop.models.policy.masks import checked_mask, fill_illegal


def test_illegal_logits_are_the_least_finite_number_in_float32():
    filled = fill_illegal(torch.zeros(1, 2, dtype=torch.bfloat16), torch.tensor([[True, False]]))
    assert filled.dtype is torch.float32
    assert filled.tolist() == [[0.0, torch.finfo(torch.float32).min]]


def test_a_flat_mask_is_one_row():
    assert checked_mask(torch.tensor([True, False]), batch=1, num_actions=2).shape == (1, 2)


@pytest.mark.parametrize(
    "mask", [torch.ones(2, 3), torch.ones(2, 4, dtype=torch.bool), torch.ones(3, dtype=torch.bool)]
)
def test_other_dtypes_and_shapes_are_refused(mask):
    with pytest.raises(ValueError, match=r"allowed is torch.bool \(2, 3\), True where legal"):
        checked_mask(mask, batch=2, num_actions=3)


def test_rows_without_a_legal_action_are_named():
    mask = torch.ones(20, 3, dtype=torch.bool)
    mask[3] = mask[7] = False
    with pytest.raises(ValueError, match="no action is legal in row 3, 7 of 20"):
        checked_mask(mask, batch=20, num_actions=3)
