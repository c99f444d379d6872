import math

import pytest

from hotloop.train import PhaseConfig


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mode", "other"),
        ("full_steps", 0),
        ("full_steps", 2.0),
        ("full_steps", True),
        ("predict_steps", -1),
        ("correct_every", 0),
        ("correct_every", 1.5),
        ("warmup_steps", 0),
        ("adaptive_phases", 1),
        ("loss_threshold", -0.1),
        ("loss_threshold", math.nan),
        ("loss_threshold", None),
        ("adaptation_window", 19),
        ("correction_weight", math.inf),
        ("min_correlation", 1.1),
        ("residual_threshold", -1.0),
        ("max_grad_norm", -1.0),
        ("gradient_accumulation", 0),
    ],
)
def test_values_that_are_not_allowed_are_named(setting, value) -> None:
    with pytest.raises(ValueError, match=setting):
        PhaseConfig(**{setting: value})


def test_changed_copies_are_checked_too() -> None:
    config = PhaseConfig()
    assert config.replace(full_steps=3).full_steps == 3
    assert config == PhaseConfig()
    with pytest.raises(ValueError, match="full_steps"):
        config.replace(full_steps=0)
    with pytest.raises(TypeError):
        config.replace(no_such_setting=1)


def test_a_config_survives_a_dictionary() -> None:
    config = PhaseConfig.deterministic(correct_every=None, max_grad_norm=1.0)
    assert PhaseConfig.from_dict(config.to_dict()) == config
    assert PhaseConfig.from_dict({}) == PhaseConfig()
    with pytest.raises(ValueError, match="no use_ternary; its settings are: mode"):
        PhaseConfig.from_dict({"use_ternary": True})
