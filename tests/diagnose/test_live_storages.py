import torch

from hotloop.diagnose.live_storages import LiveStorages


def test_a_storage_counts_once_and_until_it_is_freed():
    storages = LiveStorages()
    tensor = torch.zeros(256)
    assert storages.add(tensor, "parameters") == 1024
    assert storages.add(tensor.view(16, 16)[1], "temporaries") == 0
    other = torch.zeros(256)
    storages.add(other, "temporaries")
    assert storages.note_peak()
    del other
    assert (storages.total, storages.peak) == (1024, 2048)
    assert storages.at_peak["temporaries"] == 1024
    assert not storages.note_peak()


def test_what_a_storage_holds_can_be_said_later():
    storages = LiveStorages()
    tensor = torch.zeros(256)
    storages.add(tensor, "temporaries")
    assert storages.add(tensor, "activations", is_moved=True) == 1024
    assert storages.category_of(tensor) == "activations"
    assert (storages.live["temporaries"], storages.live["activations"], storages.total) == (0, 1024, 1024)


def test_what_has_no_storage_of_its_own_is_left_out():
    storages = LiveStorages()
    assert storages.add(torch.eye(4).to_sparse(), "temporaries") == 0
    assert storages.add(torch.empty(4, device="meta"), "temporaries") == 0
    assert storages.total == 0
