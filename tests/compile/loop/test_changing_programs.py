"""Programs in which something changes from step to step end where they end plainly, captured or refused."""

import runpy

import pytest
import torch
from tests.compile.loop.changing_programs import PROGRAMS, source_of

from hotloop.compile.loop.load import LoopLoader

_CHANGES = "changes Python state"
REFUSED = {  # with the reason in words that are said
    "cumulative batch norm": "needs a value from the device",
    "losses that are not finite": "needs a value from the device",
    "weights set from outside": "shares memory with another",
    "a stream of its own": "whose state cannot be guarded",
    "an array that is changed in place": "whose state cannot be guarded",
    "an attribute in a slot": "whose state cannot be guarded",
    "numbers from an iterator": "whose state cannot be guarded",
    "a layer that is skipped at random": "uses random",
    "a variable of the environment": "uses os",
    "a counter in the forward": _CHANGES,
    "a loss object that counts": _CHANGES,
    "a list that the forward fills": _CHANGES,
    "a closure that counts": _CHANGES,
    "a counter of a class": _CHANGES,
    "a global counter": _CHANGES,
    "a table that counts": _CHANGES,
    "a table that gets new keys": _CHANGES,
}


@pytest.fixture(autouse=True)
def _default_dtype():
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_where_it_ends_plainly(name, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(source_of(name), encoding="utf-8")
    plain = runpy.run_path(str(path), run_name="__main__")
    loader = LoopLoader(backend="aten")
    names = {"__name__": "__main__", "__file__": str(path)}
    code = loader.code_of(path)
    with loader.loading():
        exec(code or path.read_text(encoding="utf-8"), names)
    assert len(plain["result"]) == len(names["result"])
    for expected, found in zip(plain["result"], names["result"], strict=True):
        assert found.dtype == expected.dtype
        close = {"rtol": 1e-7, "atol": 1e-9} if found.dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(found, expected, equal_nan=True, **close)
    refusals = " ".join(map(str, loader.regions.refusals))
    if name in REFUSED:
        assert REFUSED[name] in refusals
    else:
        assert loader.regions.graph_steps >= 4, refusals
