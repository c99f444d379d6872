"""The convolutional residual regressor."""

from dataclasses import dataclass

from hotloop.estimators.architecture import hidden_units, net_plan
from hotloop.estimators.checks import refuse_state, warn_without_effect
from hotloop.estimators.network import NetPlan
from hotloop.estimators.parameters import ResidualParameters
from hotloop.estimators.regressor import NetRegressor
from hotloop.estimators.shapes import InputShape


@dataclass(kw_only=True, eq=False, repr=False)
class ResConvPSANNRegressor(ResidualParameters, NetRegressor):
    """Residual blocks of two convolutions with sines by channel; rows are (C, H, W).

    A row with fewer dimensions gets positions of size 1: (C,) is C channels at one position. `preserve_shape` is
    always on; `w0_first` and `w0` have no effect, as in psann.
    """

    hidden_layers: int = 6
    batch_size: int = 64
    preserve_shape: bool = True
    conv_kernel_size: int = 3

    def input_shape(self, row: tuple[int, ...]) -> InputShape:
        """Rows as (C, H, W). Raises ValueError for more than two dimensions of positions."""
        if len(row) > 3:
            raise ValueError(
                f"got rows of shape {row}; at most (C, H, W) is allowed: merge the dimensions of positions"
            )
        return InputShape(row=row, grid=True, data_format=self.data_format, least_positions=2)

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs; context columns are further channels, the same at all positions."""
        refuse_state(self, "a residual network")
        reason = "rows keep their shape, and the first layer is drawn within 1/channels"
        warn_without_effect(self, ("w0_first", "w0", "preserve_shape"), reason)
        return net_plan(
            self,
            "conv_residual",
            inputs.features + context_columns,
            columns,
            channels=int(self.conv_channels or hidden_units(self)),
            kernel_size=int(self.conv_kernel_size),
            per_element=self.per_element,
            **self.residual_keywords(),
        )
