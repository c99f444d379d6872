import torch

from hotloop.train.ppo.rank_state import packed, unpacked


def test_what_was_packed_comes_back_whatever_follows_it():
    data = {"update": 3, "names": ["a", None], "nested": {"value": 0.1}}
    tensors = {"empty": torch.empty(0, 3), "bits": torch.tensor([True, False]), "one": torch.tensor(2.5)}
    parcel = packed(data, tensors)
    found, found_tensors = unpacked(torch.cat([parcel, torch.zeros(13, dtype=torch.uint8)]))
    assert found == data
    assert found_tensors.keys() == tensors.keys()
    assert all(torch.equal(found_tensors[name], value) for name, value in tensors.items())
