"""From equal seeds, convolutional networks start with the weights that psann 0.12.4 draws (recorded)."""

import json
from pathlib import Path

import pytest
import torch

from hotloop.models.conv import ConvPSANN

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "first_weights.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case", RECORDED["cases"], ids=lambda case: f"{case['rank']}d{' by element' if case['per_element'] else ''}"
)
def test_the_first_weights_are_the_peers(case, converted):
    torch.manual_seed(RECORDED["seed"])
    net = ConvPSANN(*RECORDED["features"], rank=case["rank"], per_element=case["per_element"], **RECORDED["keywords"])
    drawn = {name: value for name, value in net.named_parameters() if not name.startswith("layers.") or "conv" in name}
    theirs = {converted.our_name("conv", name): figures for name, figures in case["drawn"].items()}
    assert set(drawn) == set(theirs)
    for name, (first, largest) in theirs.items():
        value = drawn[name].detach().flatten()
        assert [float(value[0]), float(value.abs().max())] == pytest.approx([first, largest], abs=1e-6)
