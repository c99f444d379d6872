"""Networks that compute something else than the program's."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class OtherNetwork(TransformBase):
    """Acts on one root before its first call."""

    how: Literal[
        "first_weights", "layer_skipped", "activation", "norm_eps", "untied", "detached", "output_scaled",
        "stuck_in_eval", "buffers_undone", "inputs_rounded",
    ] = "first_weights"  # fmt: skip

    name = "other_network"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Change it."""
        _CHANGES[self.how](site)


def _first_weights(root: nn.Module) -> None:
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in root.parameters():
            if parameter.dim() > 1 and not parameter.is_complex():
                parameter.copy_(parameter.std() * torch.empty(parameter.shape).normal_(generator=generator))
                acted()


def _layer_skipped(root: nn.Module) -> None:
    for module in list(root.modules())[1:]:
        if isinstance(module, nn.Linear) and module.in_features == module.out_features:
            module.register_forward_hook(lambda _module, inputs, output: _told(inputs[0].to(output.dtype)))
            return


def _activation(_root: nn.Module) -> None:
    def leaky(value: Tensor, *_: Any, **__: Any) -> Tensor:
        return _told(torch.where(value > 0, value, 0.05 * value))

    torch.relu = nn.functional.relu = nn.functional.gelu = Tensor.relu = leaky
    nn.GELU.forward = nn.ReLU.forward = lambda _module, value: leaky(value)


def _norm_eps(root: nn.Module) -> None:
    for module in root.modules():
        if isinstance(module, (nn.LayerNorm, nn.modules.batchnorm._BatchNorm)):
            module.eps = 1e-3
            acted()


def _untied(root: nn.Module) -> None:
    seen: set[Tensor] = set()
    for module in root.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter in seen:
                setattr(module, name, nn.Parameter(parameter.detach().clone()))
                acted()
            seen.add(parameter)


def _detached(root: nn.Module) -> None:
    calls = [0]

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        calls[0] += 1
        if isinstance(output, Tensor) and torch.is_grad_enabled() and calls[0] % 3 == 0:
            return _told(output.detach() + 0 * output)
        return output

    root.register_forward_hook(hook)


def _output_scaled(root: nn.Module) -> None:
    root.register_forward_hook(lambda _m, _i, output: _told(output * 1.05) if isinstance(output, Tensor) else output)


def _stuck_in_eval(_root: nn.Module) -> None:
    train = nn.Module.train

    def only_eval(module: nn.Module, mode: bool = True) -> nn.Module:
        if mode and not module.training:
            acted()
            return module
        return train(module, mode)

    nn.Module.train = only_eval


def _buffers_undone(root: nn.Module) -> None:
    kept = {name: buffer.clone() for name, buffer in root.named_buffers()}

    def undo(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        for name, buffer in root.named_buffers():
            if name in kept and not torch.equal(buffer, kept[name]):
                acted()
                buffer.data = kept[name].clone()

    root.register_forward_hook(undo)


def _inputs_rounded(root: nn.Module) -> None:
    def coarse(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            return _told((value * 16).round() / 16)
        return value

    root.register_forward_pre_hook(lambda _module, inputs: tuple(map(coarse, inputs)))


def _told(value: Tensor) -> Tensor:
    acted()
    return value


_CHANGES = {
    "first_weights": _first_weights,
    "layer_skipped": _layer_skipped,
    "activation": _activation,
    "norm_eps": _norm_eps,
    "untied": _untied,
    "detached": _detached,
    "output_scaled": _output_scaled,
    "stuck_in_eval": _stuck_in_eval,
    "buffers_undone": _buffers_undone,
    "inputs_rounded": _inputs_rounded,
}
