from collections.abc import Callable

import pytest
import torch

from hotloop.models.panel.day_neighbors import Days


@pytest.fixture
def days_of() -> Callable[..., Days]:
    """Days of these sizes, their samples in order."""

    def make(*sizes: int) -> Days:
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        place = torch.cat([torch.arange(size) for size in sizes])
        return Days(group, place, len(sizes), max(sizes))

    return make
