"""The dense regressor, convolutional where positions are preserved."""

from dataclasses import dataclass

from hotloop.estimators.architecture import hidden_units, net_plan, state_keywords
from hotloop.estimators.checks import refuse_state
from hotloop.estimators.network import NetPlan
from hotloop.estimators.regressor import NetRegressor
from hotloop.estimators.shapes import InputShape


@dataclass(kw_only=True, eq=False, repr=False)
class PSANNRegressor(NetRegressor):
    """Linear layers with parameterised sines; with `preserve_shape`, convolutions over one to three dimensions.

    With `stateful` or a `state`, each layer has a gain that follows the size of its activations.
    """

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs; context columns are further features, or further channels."""
        width = hidden_units(self)
        features, w0 = inputs.features + context_columns, float(self.w0)
        if not inputs.grid:
            state = state_keywords(self)
            return net_plan(self, "dense", features, columns, w0=w0, hidden_units=width, state=state)
        refuse_state(self, "a convolutional network")
        return net_plan(
            self,
            "conv",
            features,
            columns,
            w0=w0,
            rank=len(inputs.positions),
            channels=int(self.conv_channels or width),
            kernel_size=int(self.conv_kernel_size),
            per_element=self.per_element,
        )
