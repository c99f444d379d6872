import pytest
import torch

from hotloop.train.device import checked_device


@pytest.mark.parametrize("given", ["cuda:x", "cuda:-1", "gpu", "cuda:1:2", "", "CPU", "meta", "cpu:", " cpu"])
def test_what_is_no_device_is_named_with_what_is_allowed(given):
    with pytest.raises(ValueError, match=rf"got '{given}'; allowed devices are auto, cpu, cuda, mps, xpu and cuda:<n>"):
        checked_device(given)


@pytest.mark.parametrize("given", ["cpu", "cpu:0", torch.device("cpu")])
def test_the_cpu_is_always_there(given):
    assert checked_device(given).type == "cpu"


def test_a_device_that_this_machine_has_not_is_named():
    with pytest.raises(ValueError, match=r"got 'cuda:99', and this machine has (no cuda|only \d+)"):
        checked_device("cuda:99")
    with pytest.raises(ValueError, match="only 1 of that type"):
        checked_device("cpu:1")


def test_auto_is_cuda_where_there_is_one():
    assert checked_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
