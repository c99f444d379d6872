"""A trained network with everything that is needed to use it on arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hotloop.estimators.context import ContextColumns
from hotloop.estimators.network import NetPlan
from hotloop.estimators.scaling import AffineScaler, Scaler
from hotloop.estimators.shapes import Floats, InputShape, OutputShape

# Rows of one forward in prediction, always so many: how a matrix product sums, and so the last digits of a prediction,
# depends on the number of rows. It also bounds the memory.
_FLAT_ROWS, _GRID_ROWS = 256, 32


@dataclass(eq=False, kw_only=True)
class Fitted:
    """A network, the shapes and scalers around it, and the device it is on.

    Rows are what the network sees: laid out, scaled, float32, with the context in the last columns or channels.
    """

    plan: NetPlan
    net: nn.Module
    inputs: InputShape
    outputs: OutputShape
    input_scaler: Scaler | None
    target_scaler: Scaler | None
    context: ContextColumns
    device: torch.device

    def rows(self, X: Floats, context: Any = None) -> Tensor:
        """Rows for the network, (N, features) or (N, C, S...), on its device."""
        self.inputs.check(X)
        laid = self.inputs.lay_out(X)
        scaled = laid if self.input_scaler is None else self.input_scaler.scale(laid)
        joined = self.context.join(scaled, X, context)
        return torch.tensor(joined, dtype=torch.float32, device=self.device)

    def original(self, rows: Tensor) -> Tensor:
        """The inputs in the units of X, without context columns, for episodes of rows (B, T, features...)."""
        inputs = rows if not self.context.columns else rows[:, :, : self.inputs.features]
        scaler = self.input_scaler
        if scaler is None:
            return inputs
        if isinstance(scaler, AffineScaler):
            shape = (1, 1, -1, *(1,) * (inputs.ndim - 3))
            step, shift = (torch.as_tensor(part, dtype=torch.float32) for part in (scaler.step, scaler.shift))
            return inputs * step.to(inputs.device).view(shape) + shift.to(inputs.device).view(shape)
        values = scaler.unscale(inputs.detach().cpu().numpy().reshape(-1, *inputs.shape[2:]))
        return torch.from_numpy(values).to(inputs).view(inputs.shape)

    def targets(self, y: Floats) -> Tensor:
        """Targets for the network: laid out and scaled, on its device."""
        return self.scaled_targets(self.outputs.lay_out(y))

    def scaled_targets(self, laid: Floats) -> Tensor:
        """Targets that are laid out as the network's outputs, scaled, on its device."""
        scaled = laid if self.target_scaler is None else self.target_scaler.scale(laid)
        return torch.tensor(scaled, dtype=torch.float32, device=self.device)

    @torch.no_grad()
    def raw(self, rows: Tensor) -> Tensor:
        """The outputs in eval mode, in the scale of training; those of a row do not depend on the rows beside it."""
        self.net.eval()
        size = _GRID_ROWS if self.inputs.grid else _FLAT_ROWS
        padded = torch.cat([rows, rows.new_zeros(-len(rows) % size, *rows.shape[1:])])
        return torch.cat([self.net(piece) for piece in padded.split(size)])[: len(rows)]

    def predictions(self, outputs: Tensor) -> NDArray[np.floating[Any]]:
        """Outputs in the units of y, shaped (N, *row)."""
        values = outputs.detach().cpu().numpy()
        return self.outputs.restore(values if self.target_scaler is None else self.target_scaler.unscale(values))

    def __getstate__(self) -> dict[str, Any]:
        """The state without the module itself: networks may hold what cannot be pickled, weights always can."""
        weights = {name: value.detach().cpu().clone() for name, value in self.net.state_dict().items()}
        return {**self.__dict__, "net": weights, "device": str(self.device)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        device = torch.device(state["device"] if torch.cuda.is_available() else "cpu")
        with torch.random.fork_rng(devices=[]):
            net = state["plan"].build()
        net.load_state_dict(state["net"])
        self.__dict__.update(state, net=net.to(device).eval(), device=device)
