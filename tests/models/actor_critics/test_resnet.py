import pytest
import torch

from hotloop import models
from hotloop.errors import ModelError


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("depth", "width", "se_ratio", "parameters"), [(9, 256, 0.25, 13_241_300), (6, 128, 0, 4_033_044)]
)
def test_sizes_are_those_of_the_specification(depth, width, se_ratio, parameters):
    with torch.device("meta"):
        made = models.create(
            "resnet", input_channels=46, num_actions=13_527, depth=depth, width=width, se_ratio=se_ratio
        )
    assert size(made) == parameters


@pytest.mark.parametrize("se_ratio", [0, None])
def test_a_ratio_of_zero_is_not_taken_for_the_default(se_ratio):
    """Defect 9."""
    small = {"input_channels": 2, "num_actions": 3, "depth": 1, "width": 8}
    assert not any("excite" in name for name in models.create("resnet", **small, se_ratio=se_ratio).state_dict())
    assert any("excite" in name for name in models.create("resnet", **small).state_dict())


def test_outputs_have_the_shapes_of_the_protocol():
    made = models.create("resnet", input_channels=46, num_actions=11_259, depth=1, width=8)
    logits, value = made(torch.zeros(3, 46, 9, 9))
    assert (logits.shape, value.shape) == ((3, 11_259), (3,))


def test_what_is_missing_or_wrong_is_named():
    with pytest.raises(
        ModelError, match=r"model 'resnet' cannot be built:\n  input_channels: missing; give an integer"
    ):
        models.create("resnet", num_actions=5)
    with pytest.raises(ModelError, match="depth: got 0; allowed is an integer of at least 1"):
        models.create("resnet", input_channels=1, num_actions=5, depth=0)
