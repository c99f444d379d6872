from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch

from hotloop.verify.recast import recast

Pair = namedtuple("Pair", "rows name")


@dataclass(frozen=True)
class Named:
    rows: torch.Tensor
    name: str


@pytest.mark.parametrize(
    "wrap",
    [lambda x: (x, 1), lambda x: [x], lambda x: {"a": {"b": x}}, lambda x: Pair(x, "n"), lambda x: Named(x, "n")],
)
def test_batches_of_every_shape_arerecast(wrap):
    rows = torch.ones(2)
    assert recast(wrap(rows), torch.float64).__class__ is wrap(rows).__class__
    assert "float64" in repr(recast(wrap(rows), torch.float64))
