import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.train.episodic.schedule import Schedule
from hotloop.train.episodic.windows import Windows
from hotloop.train.stopwatch import NoStopwatch


class Count(TorchDispatchMode):
    """Keeps the names of operations."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 4, 4)])
@pytest.mark.parametrize("batch", [2, 8])
def test_3_2_an_update_is_gathered_by_one_operation_whatever_its_size(shape, batch):
    schedule = Schedule(window=4, batch=batch, episodes=3 * batch)
    windows = Windows(torch.randn(shape), np.zeros((1, 3 * batch), np.int64), schedule, watch=NoStopwatch())
    with Count() as count:
        assert len(list(windows)) == 3
    assert count.seen.count("index_select") == 3
    assert not {"stack", "cat", "copy_", "index"} & set(count.seen)
