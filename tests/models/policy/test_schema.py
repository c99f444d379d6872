from dataclasses import dataclass
from typing import Annotated

import pytest

from hotloop.errors import ModelError
from hotloop.models.policy.schema import checked_config, option_annotations
from hotloop.option import AtLeast


@dataclass(frozen=True, kw_only=True)
class Config:
    width: Annotated[int, AtLeast(1)]
    se_ratio: float | None = 0.25
    bias: bool = True


def test_zero_and_false_are_values():
    assert checked_config(Config, {"width": 3, "se_ratio": 0, "bias": False}, owner="m") == Config(
        width=3, se_ratio=0, bias=False
    )


def test_every_problem_is_named_at_once():
    with pytest.raises(ModelError) as caught:
        checked_config(Config, {"wdith": 3, "se_ratio": "big", "bias": 1}, owner="model 'm'")
    text = str(caught.value)
    assert "model 'm' cannot be built" in text
    assert "wdith: not an option; allowed are width, se_ratio, bias" in text
    assert "width: missing; give an integer of at least 1" in text
    assert "se_ratio: got 'big'; allowed is a number or left out" in text
    assert "bias: got 1; allowed is true or false" in text


def test_a_value_below_the_least_is_refused():
    with pytest.raises(ModelError, match="width: got 0; allowed is an integer of at least 1"):
        checked_config(Config, {"width": 0}, owner="m")


def test_what_is_no_dataclass_or_cannot_be_checked_is_refused():
    @dataclass
    class Bad:
        shape: tuple[int, ...]

    with pytest.raises(ModelError, match="a dataclass is needed"):
        option_annotations(dict, owner="m")
    with pytest.raises(ModelError, match="option shape: cannot check"):
        option_annotations(Bad, owner="m")
