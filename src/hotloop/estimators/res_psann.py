"""The dense residual regressor."""

from dataclasses import dataclass

from hotloop.estimators.architecture import hidden_units, net_plan
from hotloop.estimators.checks import refuse_state, warn_without_effect
from hotloop.estimators.network import NetPlan
from hotloop.estimators.parameters import ResidualParameters
from hotloop.estimators.regressor import NetRegressor
from hotloop.estimators.shapes import InputShape


@dataclass(kw_only=True, eq=False, repr=False)
class ResPSANNRegressor(ResidualParameters, NetRegressor):
    """Residual blocks of two linear layers with sines, each branch scaled by a number that starts at 0.

    `w0_first` and `w0` have no effect, as in psann: the first layer is drawn within 1/features.
    """

    hidden_layers: int = 8

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs; context columns are further features."""
        refuse_state(self, "a residual network")
        warn_without_effect(self, ("w0_first", "w0"), "the first layer is drawn within 1/features")
        if inputs.grid:
            raise ValueError(
                "got preserve_shape=True for ResPSANNRegressor, whose rows are flat; use ResConvPSANNRegressor"
            )
        features, own = inputs.features + context_columns, self.residual_keywords()
        return net_plan(self, "residual", features, columns, hidden_units=hidden_units(self), **own)
