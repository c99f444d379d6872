"""The residual sine regressor with context."""

from dataclasses import dataclass
from typing import Any, Literal

from hotloop.estimators.architecture import activation_options, hidden_units
from hotloop.estimators.checks import refuse_state, warn_without_effect
from hotloop.estimators.network import NetPlan
from hotloop.estimators.regressor import NetRegressor
from hotloop.estimators.shapes import InputShape

_GATE = ("k_fft", "gate_type", "gate_groups", "gate_init", "gate_strength")


@dataclass(kw_only=True, eq=False, repr=False)
class WaveResNetRegressor(NetRegressor):
    """Residual sine blocks that a context modulates; w0 warms up and depth grows, epoch by epoch, in all training.

    The gradient is clipped to `grad_clip_norm` in supervised training; episodes have a limit of their own.
    """

    hidden_layers: int = 6
    first_layer_w0: float = 30.0  # what the inputs of the first sines are multiplied by, after the warm-up
    hidden_w0: float = 1.0  # the same for the sines of the blocks
    norm: Literal["none", "weight", "rms"] = "none"
    use_film: bool = True  # the context scales and shifts features
    use_phase_shift: bool = True  # the context shifts phases
    dropout: float = 0.0
    context_dim: int | None = None  # columns of context that a fit must be given; None is any number
    residual_alpha_init: float = 0.0  # what the branches are multiplied by at first
    grad_clip_norm: float | None = 5.0  # None and 0 are no clipping
    first_layer_w0_initial: float | None = 10.0  # where the warm-up begins; None is at its end
    hidden_w0_initial: float | None = 0.5
    w0_warmup_epochs: int = 10
    progressive_depth_initial: int | None = None  # blocks in use at first; None is all
    progressive_depth_interval: int = 15  # epochs until more come into use
    progressive_depth_growth: int = 1  # how many more
    use_spectral_gate: bool = False  # not offered, as the five that follow
    k_fft: int = 64
    gate_type: str = "rfft"
    gate_groups: str = "depthwise"
    gate_init: float = 0.0
    gate_strength: float = 1.0

    def largest_gradient(self) -> float | None:
        return self.grad_clip_norm or None

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs; the context shifts phases and modulates features."""
        refuse_state(self, "a wave network")
        if inputs.grid:
            raise ValueError("got preserve_shape=True for WaveResNetRegressor, whose rows are flat; leave it out")
        if self.use_spectral_gate:
            raise ValueError("got use_spectral_gate=True; the spectral gate is not offered: leave it out")
        warn_without_effect(self, _GATE, "there is no spectral gate")
        warn_without_effect(self, ("w0", "activation_type"), "its sines have first_layer_w0, hidden_w0")
        return NetPlan(
            name="wave_residual",
            in_features=inputs.features,
            out_features=columns,
            context_features=context_columns or None,
            keywords={
                "hidden_layers": int(self.hidden_layers),
                "hidden_units": hidden_units(self),
                "norm": self.norm,
                "context_features": context_columns or None,
                "film": self.use_film,
                "phase_shift": self.use_phase_shift,
                "dropout": float(self.dropout),
                "residual_alpha_init": float(self.residual_alpha_init),
                "schedule": self._schedule(),
                "activation_options": activation_options(self),
            },
        )

    def _schedule(self) -> dict[str, Any]:
        first, hidden = self.first_layer_w0_initial, self.hidden_w0_initial
        return {
            "first_w0": float(self.first_layer_w0),
            "hidden_w0": float(self.hidden_w0),
            "first_w0_initial": float(self.first_layer_w0 if first is None else first),
            "hidden_w0_initial": float(self.hidden_w0 if hidden is None else hidden),
            "warmup_epochs": int(self.w0_warmup_epochs),
            "depth_initial": self.progressive_depth_initial,
            "depth_interval": int(self.progressive_depth_interval),
            "depth_growth": int(self.progressive_depth_growth),
        }
