"""Old names of parameters, of keywords and of their values, and which new one each means."""

from collections.abc import Mapping
from typing import Any

from hotloop.train.callers import warn

ACTIVATION_OPTIONS = {"slope_trainable": "slope_learnable"}
HALF_PRECISIONS = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "None": "bfloat16"}


def hidden_units(units: int | None, width: int | None) -> int | None:
    """`hidden_units`, else `hidden_width`, its old name."""
    if width is None:
        return units
    warn("hidden_width is the old name of hidden_units; give hidden_units", DeprecationWarning)
    if units is not None and units != width:
        warn(f"hidden_units={units} is used, hidden_width={width} is not; give only one")
    return width if units is None else units


def transition_penalty(penalty: float | None, cost: float | None) -> float | None:
    """`hisso_transition_penalty`, else `hisso_trans_cost`, its old name."""
    if cost is not None:
        warn(
            "hisso_trans_cost is the old name of hisso_transition_penalty, and is not used where that is given; "
            "give hisso_transition_penalty",
            DeprecationWarning,
        )
    return cost if penalty is None else penalty


def warm_start_targets(given: Mapping[str, Any]) -> Any:
    """`y` of the warm start, else `targets`, its old name."""
    return given.get("targets") if given.get("y") is None else given["y"]
