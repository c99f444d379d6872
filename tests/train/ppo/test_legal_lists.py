import pytest
import torch

from hotloop.train.ppo.legal_lists import LegalLists, listed


def test_a_mask_becomes_lists_in_the_order_of_actions():
    mask = torch.tensor([[True, False, True], [False, True, False]])
    assert listed(mask).tolist() == [[0, 2], [1, -1]]


def test_rows_without_a_legal_action_are_named():
    mask = torch.tensor([[True, False], [False, False], [False, False]])
    with pytest.raises(ValueError, match="no action is legal in row 1, 2 of 3"):
        listed(mask)


def test_lists_grow_by_doubling_and_keep_what_is_in_them():
    lists = LegalLists(2, 1, 200, device=torch.device("cpu"))
    few, many = torch.zeros(2, 1, 200, dtype=torch.bool)
    few[0, [5, 190]] = True
    many[0, :150] = True
    lists.put(0, few)
    assert lists.width == 64
    assert lists.put(1, many).tolist() == [[*range(150), *[-1] * 50]]
    assert lists.width == 200  # 128 is too few, 256 more than there are
    assert lists.rows[0, 0, :3].tolist() == [5, 190, -1]


def test_what_a_longer_list_left_is_gone():
    lists = LegalLists(1, 1, 8, device=torch.device("cpu"))
    lists.put(0, torch.ones(1, 8, dtype=torch.bool))
    few = torch.zeros(1, 8, dtype=torch.bool)
    few[0, 3] = True
    assert lists.put(0, few).tolist() == [[3, *[-1] * 7]]


def test_a_width_that_was_kept_comes_back():
    lists = LegalLists(1, 1, 1000, device=torch.device("cpu"))
    lists.widen(256)
    assert lists.width == 256
    lists.widen(64)
    assert lists.width == 256
