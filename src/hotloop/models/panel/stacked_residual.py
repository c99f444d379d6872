"""F gated residual blocks of one input each, and the sum of what they say: a handful of operators for all of them.

R rows, F features, H hidden units, B = 2 F: third layers, then gates.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel import plain
from hotloop.models.panel.gated_residual import dropout_of, elu_gradient, kept_by, product_dtype
from hotloop.models.panel.widened import widened
from hotloop.models.panel.written_out import written_out

_EPSILON = 1e-5  # that of nn.LayerNorm


class GatedBlock(Protocol):
    """A gated residual block of one input and H outputs, with linear layers `enter`, `second`, `third`, `gate`."""

    norm: nn.LayerNorm

    def get_submodule(self, target: str) -> nn.Module: ...


class StackedGatedResidual(nn.Module):
    """sum_f w_f GRN_f(x_f) with F gated residual blocks of one input and H outputs; x (R, F), w (R, F) -> (R, H).

    `load_blocks` takes the weights of F such blocks. Weights begin as torch's linear layers do. Norms and the sum are
    float32. Keeps about eight activations of F x R x H for backward, which is written out: a third fewer operators
    than autograd would run, and fewer passes over memory. It cannot be differentiated again.
    """

    def __init__(self, features: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        bias, many = (features, 1, hidden), (features, hidden, hidden)
        self.enter, self.enter_bias = _drawn((features, 1, 3 * hidden), 1), _drawn((features, 1, 3 * hidden), 1)
        self.second, self.second_bias = _drawn(many, hidden), _drawn(bias, hidden)
        self.outputs = _drawn((2 * features, hidden, hidden), hidden)
        self.outputs_bias = _drawn((2 * features, 1, hidden), hidden)
        self.norm, self.norm_bias = nn.Parameter(torch.ones(bias)), nn.Parameter(torch.zeros(bias))
        self.dropout = dropout_of(dropout)
        self.register_load_state_dict_pre_hook(_join_outputs)

    def forward(self, x_RF: Tensor, shares_RF: Tensor) -> Tensor:
        dtype = product_dtype(x_RF, self.second)
        names = ("enter", "enter_bias", "second", "second_bias", "outputs", "outputs_bias")
        weights = [self.get_parameter(name).to(dtype) for name in names]
        x_RF = x_RF.to(dtype)
        kept_FRH = kept_by(self.dropout, (x_RF.shape[1], len(x_RF), self.second.shape[-1]), x_RF)
        with torch.autocast(x_RF.device.type, enabled=False):
            if torch.compiler.is_compiling():
                return self._plain(x_RF, shares_RF, kept_FRH, weights)
            return _WeightedBlocks.apply(x_RF, shares_RF, kept_FRH, *weights, self.norm, self.norm_bias)

    def _plain(self, x_RF: Tensor, shares_RF: Tensor, kept_FRH: Tensor | None, weights: list[Tensor]) -> Tensor:
        enter, enter_bias, second, second_bias, outputs, outputs_bias = weights
        parts = list((x_RF.t().unsqueeze(-1) * enter + enter_bias).chunk(3, dim=-1))
        mixed_FRH = widened(plain.gated_mix(parts, kept_FRH, (second, second_bias), (outputs, outputs_bias)))
        normal_FRH = functional.layer_norm(mixed_FRH, mixed_FRH.shape[-1:], eps=_EPSILON)
        return ((normal_FRH * self.norm + self.norm_bias) * shares_RF.t().unsqueeze(-1)).sum(0)

    @torch.no_grad()
    def load_blocks(self, blocks: Sequence[GatedBlock]) -> None:
        """Take the weights of F blocks of one input and H outputs."""
        for name, targets in {
            "enter": (self.enter, self.enter_bias),
            "second": (self.second, self.second_bias),
            "third": (self.outputs[: len(blocks)], self.outputs_bias[: len(blocks)]),
            "gate": (self.outputs[len(blocks) :], self.outputs_bias[len(blocks) :]),
        }.items():
            layers = [block.get_submodule(name) for block in blocks]
            targets[0].copy_(torch.stack([layer.get_parameter("weight").t() for layer in layers]))
            targets[1].copy_(torch.stack([layer.get_parameter("bias") for layer in layers]).unsqueeze(1))
        self.norm.copy_(torch.stack([block.norm.weight for block in blocks]).unsqueeze(1))
        self.norm_bias.copy_(torch.stack([block.norm.bias for block in blocks]).unsqueeze(1))


class _WeightedBlocks(torch.autograd.Function):
    """The sum of all blocks, weighted."""

    @staticmethod
    def forward(  # noqa: PLR0917  # autograd takes each tensor as an argument
        ctx: Any,
        x_RF: Tensor,
        shares_RF: Tensor,
        kept_FRH: Tensor | None,
        enter_F1E: Tensor,
        enter_bias_F1E: Tensor,
        second_FHH: Tensor,
        second_bias_F1H: Tensor,
        outputs_BHH: Tensor,
        outputs_bias_B1H: Tensor,
        norm_F1H: Tensor,
        norm_bias_F1H: Tensor,
    ) -> Tensor:
        features, hidden = len(second_FHH), second_FHH.shape[-1]
        entered_FRE = torch.addcmul(enter_bias_F1E, x_RF.t().unsqueeze(-1), enter_F1E)
        first_FRH, gate_FRH, skip_FRH = entered_FRE.chunk(3, dim=-1)
        first_FRH = functional.elu(first_FRH)
        both_BRH = x_RF.new_empty(2 * features, len(x_RF), hidden)
        torch.baddbmm(second_bias_F1H, first_FRH, second_FHH, out=both_BRH[:features])
        functional.elu_(both_BRH[:features])
        torch.clamp(gate_FRH, min=0.0, out=both_BRH[features:])
        pair_BRH = torch.baddbmm(outputs_bias_B1H, both_BRH, outputs_BHH)
        if kept_FRH is not None:
            pair_BRH[:features].mul_(kept_FRH)
        pair_BRH[:features].sub_(skip_FRH)
        mixed_FRH = functional.glu(pair_BRH, dim=0).add_(skip_FRH)
        mixed_FRH = widened(mixed_FRH)
        normal_FRH, mean_FR1, rate_FR1 = torch.native_layer_norm(mixed_FRH, [hidden], None, None, _EPSILON)
        said_FRH = torch.addcmul(norm_bias_F1H, normal_FRH, norm_F1H)
        ctx.save_for_backward(
            *(x_RF, shares_RF, kept_FRH, enter_F1E, second_FHH, outputs_BHH, norm_F1H),
            *(first_FRH, both_BRH, pair_BRH, mixed_FRH, normal_FRH, mean_FR1, rate_FR1, said_FRH),
        )
        return (shares_RF.unsqueeze(1) @ said_FRH.transpose(0, 1)).squeeze(1)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x_RF, shares_RF, kept_FRH, enter_F1E, second_FHH, outputs_BHH, norm_F1H = ctx.saved_tensors[:7]
        first_FRH, both_BRH, pair_BRH, mixed_FRH, normal_FRH, mean_FR1, rate_FR1, said_FRH = ctx.saved_tensors[7:]
        features, hidden = len(second_FHH), second_FHH.shape[-1]
        (grad_RH,), shares_FR = grads, shares_RF.t()
        said_grad_FRH = shares_FR.unsqueeze(-1) * grad_RH
        norm_grad_F1H = (said_grad_FRH * normal_FRH).sum(1, keepdim=True)
        mixed_grad_FRH, _, _ = torch.ops.aten.native_layer_norm_backward(
            said_grad_FRH.mul_(norm_F1H), mixed_FRH, [hidden], mean_FR1, rate_FR1, None, None, [True, False, False]
        )
        mixed_grad_FRH = mixed_grad_FRH.to(x_RF.dtype)
        pair_grad_BRH = torch.ops.aten.glu_backward(mixed_grad_FRH, pair_BRH, 0)
        entered_grad_FRE = x_RF.new_empty(features, len(x_RF), 3 * hidden)
        first_part, gate_part, skip_part = entered_grad_FRE.chunk(3, dim=-1)
        torch.sub(mixed_grad_FRH, pair_grad_BRH[:features], out=skip_part)
        if kept_FRH is not None:
            pair_grad_BRH[:features].mul_(kept_FRH)
        both_grad_BRH = pair_grad_BRH @ outputs_BHH.transpose(1, 2)
        torch.ops.aten.threshold_backward.grad_input(
            both_grad_BRH[features:], both_BRH[features:], 0, grad_input=gate_part
        )
        second_grad_FRH = both_grad_BRH[:features]
        elu_gradient(second_grad_FRH, both_BRH[:features], out=second_grad_FRH)
        elu_gradient(second_grad_FRH @ second_FHH.transpose(1, 2), first_FRH, out=first_part)
        x_grad_RF = (entered_grad_FRE * enter_F1E).sum(-1).t() if ctx.needs_input_grad[0] else None
        return (
            x_grad_RF,
            (said_FRH.transpose(0, 1) @ grad_RH.unsqueeze(-1)).squeeze(-1),
            None,
            x_RF.t().unsqueeze(1) @ entered_grad_FRE,
            entered_grad_FRE.sum(1, keepdim=True),
            first_FRH.transpose(1, 2) @ second_grad_FRH,
            second_grad_FRH.sum(1, keepdim=True),
            both_BRH.transpose(1, 2) @ pair_grad_BRH,
            pair_grad_BRH.sum(1, keepdim=True),
            norm_grad_F1H,
            (shares_FR @ grad_RH).unsqueeze(1),
        )


def _drawn(shape: tuple[int, int, int], fan_in: int) -> nn.Parameter:
    limit = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-limit, limit))


def _join_outputs(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Weights that were saved as `third` and `gate` become the rows of `outputs`."""
    for end in ("", "_bias"):
        names = [f"{prefix}{name}{end}" for name in ("third", "gate")]
        if all(name in state for name in names):
            state[f"{prefix}outputs{end}"] = torch.cat([state.pop(name) for name in names])
