"""The gated residual block.

R rows, H hidden units, I inputs, O outputs.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel import plain
from hotloop.models.panel.written_out import written_out

State = dict[str, Tensor]


def dropout_of(share: float) -> nn.Module:
    """Dropout, or nothing at all for a share of 0."""
    return nn.Dropout(share) if share else nn.Identity()


def kept_by(dropout: nn.Module, shape: tuple[int, ...], like: Tensor) -> Tensor | None:
    """What dropout multiplies values of that shape by: 0 or 1 / (1 - share). None where it changes nothing."""
    if not isinstance(dropout, nn.Dropout) or not dropout.training:
        return None
    return dropout(like.new_ones(shape))


def product_dtype(x: Tensor, weight: Tensor) -> torch.dtype:
    """The dtype in which products of both are worked out: that of autocast, or else of the weight."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return weight.dtype


class GatedResidual(nn.Module):
    """LayerNorm(g h + (1 - g) skip(x)) with h = W3 elu(W2 elu(W1 x)) and g = sigmoid(V2 relu(V1 x)).

    (..., I) -> (..., O). `skip` is the identity where I = O, else linear. W1, V1 and the skip are one product; W3 and
    V2 are one of two matrices, `outputs` (2, H, O). Dropout is on h. Backward is written out, with fewer operators than
    autograd would run; it cannot be differentiated again.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.is_identity = inputs == outputs
        self.enter = nn.Linear(inputs, 2 * hidden if self.is_identity else 2 * hidden + outputs)
        self.second = nn.Linear(hidden, hidden)
        drawn = [nn.Linear(hidden, outputs) for _ in range(2)]
        self.outputs = nn.Parameter(torch.stack([layer.weight.detach().t() for layer in drawn]))
        self.outputs_bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in drawn]).unsqueeze(1))
        self.norm = nn.LayerNorm(outputs)
        self.dropout = dropout_of(dropout)
        self.register_load_state_dict_pre_hook(_join_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x_RI = x.flatten(0, -2)
        entered_RE = self.enter(x_RI)
        dtype = product_dtype(x, self.outputs)
        weights = [w.to(dtype) for w in (self.second.weight, self.second.bias, self.outputs, self.outputs_bias)]
        kept_RO = kept_by(self.dropout, (len(x_RI), self.outputs.shape[-1]), entered_RE)
        skip_RO = x_RI.to(dtype) if self.is_identity else None
        with torch.autocast(x.device.type, enabled=False):
            if torch.compiler.is_compiling():
                hidden = len(weights[1])
                first_RH, gate_RH, *rest_RO = entered_RE.tensor_split([hidden, 2 * hidden], dim=1)
                parts = [first_RH, gate_RH, rest_RO[0] if skip_RO is None else skip_RO]
                mixed_RO = plain.gated_mix(parts, kept_RO, (weights[0].t(), weights[1]), (weights[2], weights[3]))
            else:
                mixed_RO = _GatedMix.apply(entered_RE, skip_RO, kept_RO, *weights)
        return self.norm(mixed_RO).view(*x.shape[:-1], -1)


class _GatedMix(torch.autograd.Function):
    """From W1 x, V1 x and the skip to g h + (1 - g) skip."""

    @staticmethod
    def forward(
        ctx: Any,
        entered_RE: Tensor,
        skip_RO: Tensor | None,
        kept_RO: Tensor | None,
        second_HH: Tensor,
        second_bias_H: Tensor,
        outputs_2HO: Tensor,
        outputs_bias_21O: Tensor,
    ) -> Tensor:
        ctx.is_identity, hidden = skip_RO is not None, len(second_HH)
        first_RH, gate_RH, *rest = entered_RE.tensor_split([hidden, 2 * hidden], dim=1)
        skip_RO = rest[0] if skip_RO is None else skip_RO
        first_RH, both_2RH = functional.elu(first_RH), gate_RH.new_empty(2, *gate_RH.shape)
        functional.elu_(torch.addmm(second_bias_H, first_RH, second_HH.t(), out=both_2RH[0]))
        torch.clamp(gate_RH, min=0.0, out=both_2RH[1])
        pair_2RO = torch.baddbmm(outputs_bias_21O, both_2RH, outputs_2HO)
        if kept_RO is not None:
            pair_2RO[0].mul_(kept_RO)
        pair_2RO[0].sub_(skip_RO)
        ctx.save_for_backward(kept_RO, second_HH, outputs_2HO, first_RH, both_2RH, pair_2RO)
        return functional.glu(pair_2RO, dim=0).squeeze(0).add_(skip_RO)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        kept_RO, second_HH, outputs_2HO, first_RH, both_2RH, pair_2RO = ctx.saved_tensors
        (grad_RO,) = grads
        pair_grad_2RO = torch.ops.aten.glu_backward(grad_RO.unsqueeze(0), pair_2RO, 0)
        hidden, outputs = len(second_HH), 0 if ctx.is_identity else grad_RO.shape[1]
        entered_RE = grad_RO.new_empty(len(grad_RO), 2 * hidden + outputs)
        first_part, gate_part, skip_part = entered_RE.tensor_split([hidden, 2 * hidden], dim=1)
        skip_RO = torch.empty_like(grad_RO) if ctx.is_identity else skip_part
        if ctx.needs_input_grad[1] or not ctx.is_identity:
            torch.sub(grad_RO, pair_grad_2RO[0], out=skip_RO)
        if kept_RO is not None:
            pair_grad_2RO[0].mul_(kept_RO)
        second_grad_RH, gate_grad_RH = (pair_grad_2RO @ outputs_2HO.transpose(1, 2)).unbind()
        torch.ops.aten.threshold_backward.grad_input(gate_grad_RH, both_2RH[1], 0, grad_input=gate_part)
        elu_gradient(second_grad_RH, both_2RH[0], out=second_grad_RH)
        elu_gradient(second_grad_RH @ second_HH, first_RH, out=first_part)
        return (
            entered_RE,
            skip_RO if ctx.needs_input_grad[1] else None,
            None,
            second_grad_RH.t() @ first_RH,
            second_grad_RH.sum(0),
            both_2RH.transpose(1, 2) @ pair_grad_2RO,
            pair_grad_2RO.sum(1, keepdim=True),
        )


def elu_gradient(grad: Tensor, result: Tensor, *, out: Tensor) -> None:
    """Put into `out` the gradient of what went into elu, from that of its result and the result itself."""
    torch.ops.aten.elu_backward.grad_input(grad, 1.0, 1.0, 1.0, True, result, grad_input=out)


def _join_outputs(module: nn.Module, state: State, prefix: str, *rest: Any) -> None:
    """Weights that were saved as layers `third` and `gate` of their own become rows of `outputs`."""
    names = [f"{prefix}{name}.{{}}" for name in ("third", "gate")]
    if not all(name.format("weight") in state for name in names):
        return
    state[f"{prefix}outputs"] = torch.stack([state.pop(name.format("weight")).t() for name in names])
    state[f"{prefix}outputs_bias"] = torch.stack([state.pop(name.format("bias")) for name in names]).unsqueeze(1)
