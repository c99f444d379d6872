"""torch.compile on root modules, in place."""

import pytest
import torch

from hotloop.transforms.compile import Compile


def test_compile_keeps_the_keys_of_the_state(under, mlp):
    keys = list(mlp.state_dict())
    started, hooks = under(Compile(backend="aot_eager"))
    with hooks:
        mlp(torch.randn(3, 4)).sum().backward()
    assert started.applied["compile"] == 1
    assert list(mlp.state_dict()) == keys
    started.plan.transforms[0].confirm()


@pytest.mark.parametrize("compiled", ["wrapped", "in place", "inside"])
def test_compile_leaves_a_program_alone_that_compiles_itself(under, mlp, compiled):
    called = torch.compile(mlp, backend="eager") if compiled == "wrapped" else mlp
    if compiled != "wrapped":
        (mlp if compiled == "in place" else mlp[0]).compile(backend="eager")
    started, hooks = under(Compile(backend="eager"))
    with hooks:
        called(torch.randn(3, 4))
    assert started.applied["compile"] == 0
    assert "already compiles" in started.refused["compile"]
