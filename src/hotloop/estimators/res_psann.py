"""The dense residual regressor."""

from dataclasses import dataclass
from typing import Literal

from hotloop.estimators.network import NetPlan
from hotloop.estimators.parameters import activation_keywords, hidden_units, refuse_state, warn_without_effect
from hotloop.estimators.regressor import NetRegressor
from hotloop.estimators.shapes import InputShape


@dataclass(kw_only=True, eq=False, repr=False)
class ResPSANNRegressor(NetRegressor):
    """Residual blocks of two linear layers with sines, each branch scaled by a number that starts at 0.

    `w0_first` and `w0` have no effect, as in psann: the first layer is drawn within 1/features.
    """

    hidden_layers: int = 8
    w0_first: float = 12.0
    w0_hidden: float = 1.0
    norm: Literal["rms", "layer", "none"] = "rms"
    drop_path_max: float = 0.0
    residual_alpha_init: float = 0.0

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs; context columns are further features."""
        refuse_state(self, "a residual network")
        warn_without_effect(self, {"w0_first": 12.0, "w0": 30.0}, "the first layer is drawn within 1/features")
        if inputs.grid:
            raise ValueError(
                "got preserve_shape=True for ResPSANNRegressor, whose rows are flat; use ResConvPSANNRegressor"
            )
        return NetPlan(
            name="residual",
            in_features=inputs.features + context_columns,
            out_features=columns,
            keywords={
                "hidden_layers": int(self.hidden_layers),
                "hidden_units": hidden_units(self),
                "w0_hidden": float(self.w0_hidden),
                "norm": self.norm,
                "drop_path_max": float(self.drop_path_max),
                "residual_alpha_init": float(self.residual_alpha_init),
                **activation_keywords(self),
            },
        )
