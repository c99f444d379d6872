"""Losses of PSANNRegressor on pictures are those of psann 0.12.4, as benchmarks/hisso/parity.py recorded them.

Pooled convolutions are made by `with_conv_stem` there and by `preserve_shape=True` here.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hisso" / "parity_fits.py"
LOSSES = {
    "preserve_shape, 1d: supervised": [1.003772, 1.003595, 1.00342],
    "preserve_shape, 2d: supervised": [0.893886, 0.89379, 0.893694],
    "preserve_shape, 3d: supervised": [1.005081, 1.004841, 1.004582],
    "preserve_shape, per_element, 2d: supervised": [0.989636, 0.989548, 0.989463],
    "no preserve_shape here, preserve_shape there: supervised": [0.893819, 0.893486, 0.892996],
}


@pytest.fixture
def parity_fits(monkeypatch):
    spec = importlib.util.spec_from_file_location("parity_fits", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "parity_fits", module)  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("title", LOSSES)
def test_the_losses_are_the_peers(title, parity_fits):
    ours = parity_fits.run("hotloop", parity_fits.fits()[title])
    assert ours["epochs"] == pytest.approx(LOSSES[title], rel=1e-5)
