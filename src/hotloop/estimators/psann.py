"""The dense regressor, convolutional where positions are preserved."""

from dataclasses import dataclass

from hotloop.estimators.network import NetPlan
from hotloop.estimators.parameters import activation_keywords, hidden_units, refuse_state, state_keywords
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
        shared = {"hidden_layers": int(self.hidden_layers), "w0": float(self.w0), **activation_keywords(self)}
        if not inputs.grid:
            keywords = {**shared, "hidden_units": width, "state": state_keywords(self)}
            return NetPlan(
                name="dense",
                in_features=inputs.features + context_columns,
                out_features=columns,
                keywords=keywords,
            )
        refuse_state(self, "a convolutional network")
        return NetPlan(
            name="conv",
            in_features=inputs.features + context_columns,
            out_features=columns,
            keywords={
                **shared,
                "rank": len(inputs.positions),
                "channels": int(self.conv_channels or width),
                "kernel_size": int(self.conv_kernel_size),
                "per_element": self.per_element,
            },
        )
