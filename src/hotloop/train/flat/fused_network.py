"""Whole networks in two calls, where a compiled kernel knows the network."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hotloop.kernels.reference import DECAY_MODES
from hotloop.kernels.training import LANES, training_operators
from hotloop.models.conv import MeanHead
from hotloop.models.conv_residual import ResConvPSANN
from hotloop.models.residual import ResPSANN
from hotloop.models.rms_norm import RMSNorm
from hotloop.models.sine import SineParam
from hotloop.train.flat.parameters import FlatParameters

_Kind = TypeVar("_Kind", bound=nn.Module)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_ONE_BY_ONE, _THREE_BY_THREE = (1, 1), (3, 3)


def fused_network(model: nn.Module, flat: FlatParameters) -> "FusedNetwork | None":
    """A fused form of `model` that writes its gradients into `flat`; None where there is none.

    It needs one CPU thread, fp32, a dense or convolutional residual network with every parameter trained, sine
    activations of one kind, RMS norms, hidden units in sixteens, 3 x 3 filters, and neither dropped paths nor hooks.
    """
    if flat.values.dtype is not torch.float32 or not flat.values.is_cpu or torch.get_num_threads() > 1:
        return None
    has_hooks = any(getattr(module, table) for module in model.modules() for table in _HOOKS)
    if has_hooks or len(flat.parameters) != sum(1 for _ in model.parameters()):
        return None
    sizes = _sizes(model)
    if sizes is None or sizes[0] % LANES or not all(parameter.is_contiguous() for parameter in flat.parameters):
        return None
    act, norm = _alike(model, SineParam, "decay_mode", "bounds"), _alike(model, RMSNorm, "eps")
    if act is None or norm is None or act.phase is not None:
        return None
    operators = training_operators()
    return None if operators is None else FusedNetwork(operators, flat, sizes, act, norm.eps)


class FusedNetwork:
    """A residual network as one operator forward and one backward; memory is taken once for each shape of inputs."""

    def __init__(
        self, operators: Any, flat: FlatParameters, sizes: tuple[int, int, int], act: SineParam, eps: float
    ) -> None:
        self._forward, self._backward = operators.training_forward.default, operators.training_backward.default
        self._rooms = operators.room_kept.default, operators.room_scratch.default
        self._flat, self._sizes, self._eps = flat, list(sizes), eps
        self._mode, self._bounds = DECAY_MODES.index(act.decay_mode), list(act.bounds or ())
        self._shape: torch.Size | None = None
        self._inputs = self._kept = self._scratch = self.outputs = flat.values.new_empty(0)

    def __call__(self, inputs: Tensor) -> Tensor:
        """The outputs (rows, M), a leaf that requires gradients, kept as `outputs`."""
        self.outputs = self.forward(inputs).requires_grad_()
        return self.outputs

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs (rows, M), without gradients."""
        values = self._flat.values
        if inputs.shape != self._shape:
            self._shape = inputs.shape
            self._kept, self._scratch = (values.new_empty(room(inputs, values, self._sizes)) for room in self._rooms)
        self._inputs = inputs
        return self._forward(inputs, values, self._sizes, self._eps, self._mode, self._bounds, self._kept)

    def backward(self, grads: Tensor) -> None:
        """Write the gradient of all parameters, given that of the outputs."""
        flat = self._flat
        self._backward(
            grads,
            self._inputs,
            flat.values,
            self._sizes,
            self._mode,
            self._bounds,
            self._kept,
            self._scratch,
            flat.grads,
        )


def _sizes(model: nn.Module) -> tuple[int, int, int] | None:
    """Hidden units, layers and outputs of a network that the kernel knows."""
    if isinstance(model, ResPSANN) and type(model) is ResPSANN:
        sizes = model.first.out_features, len(model.blocks), model.head.out_features
    elif isinstance(model, ResConvPSANN) and type(model) is ResConvPSANN and isinstance(model.head, MeanHead):
        kernels = {tuple(module.kernel_size) for module in model.blocks.modules() if isinstance(module, nn.Conv2d)}
        if kernels != {_THREE_BY_THREE} or tuple(model.first.kernel_size) != _ONE_BY_ONE:
            return None
        sizes = model.first.out_channels, len(model.blocks), model.head.linear.out_features
    else:
        return None
    blocks: list[Any] = list(model.blocks)
    acts = [act for block in blocks for act in (block.act1, block.act2)]
    norms = [model.norm, *(block.norm for block in blocks)]
    is_known = all(isinstance(act, SineParam) for act in acts) and all(isinstance(norm, RMSNorm) for norm in norms)
    return sizes if blocks and is_known and all(block.drop_path.rate == 0.0 for block in blocks) else None


def _alike(model: nn.Module, kind: type[_Kind], *names: str) -> _Kind | None:
    """The first module of a kind, where all of that kind agree in the attributes `names`."""
    found = [module for module in model.modules() if isinstance(module, kind)]
    settings = {tuple(getattr(module, name) for name in names) for module in found}
    return found[0] if len(settings) == 1 else None
