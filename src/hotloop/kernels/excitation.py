"""Squeeze and excitation with the residual and the ReLU behind it, as one operator; in pure torch for every machine.

Source: Hu et al. 2018, arXiv:1709.01507; with a shift as in models/actor_critics/se_resnet.py.
"""

import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hotloop.kernels.build import BuildError, built_library
from hotloop.kernels.selection import allows_compiled, is_native

SOURCES = ("excitation.cpp", "excitation.h", "simd.h")
Layer = tuple[Tensor, Tensor]  # weight and bias of a linear layer or of a 1x1 convolution
_COMPILED_DTYPES = (torch.float32, torch.bfloat16)
_LIBRARY = torch.library.Library("hotloop", "FRAGMENT")
_WEIGHTS = "Tensor squeeze, Tensor squeeze_bias, Tensor excite, Tensor excite_bias"
_KEPT = "Tensor means, Tensor hidden, Tensor gates"
_LIBRARY.define(
    f"squeeze_excitation_forward(Tensor y, Tensor residual, {_WEIGHTS}) -> (Tensor, Tensor, Tensor, Tensor)"
)
_LIBRARY.define(
    f"squeeze_excitation_backward(Tensor grad, Tensor out, Tensor y, Tensor squeeze, Tensor excite, {_KEPT}) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def squeeze_excitation(
    y: Tensor, residual: Tensor, squeeze: Layer, excite: Layer, *, with_shift: bool = False
) -> Tensor:
    """relu(y * sigmoid(scale) + shift + residual), shaped as `y`: (batch, channels, places...).

    Scale and shift are one number for each sample and channel, excite(relu(squeeze(mean of y over the places))). The
    first layer has weights (hidden, channels), the second (channels, hidden), or twice as many rows `with_shift`, whose
    second half gives the shift; without, it is 0. Both may be 1x1 convolutions.

    fp32 and bf16 on the CPU go to compiled C++, on CUDA to Triton where that is installed; everything else to pure
    torch. The means, the layers and all sums are computed in fp32 (fp64 where the input is) under autocast, too. The
    compiled operators are deterministic on the CPU and refuse second derivatives, for which `prefer("torch")` is there.
    Raises ValueError where the shapes do not belong together.
    """
    weights = (squeeze[0].flatten(1), squeeze[1], excite[0].flatten(1), excite[1])
    _check(y, residual, weights, with_shift=with_shift)
    if _is_compiled(y, residual, weights):
        as_fp32 = [weight.float() for weight in weights]
        return torch.ops.hotloop.squeeze_excitation_forward(y, residual, *as_fp32)[0]
    return reference_excitation(y, residual, weights)


def reference_excitation(y: Tensor, residual: Tensor, weights: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """The same in pure torch, differentiable any number of times, in every floating dtype, on every device."""
    result = torch.promote_types(y.dtype, residual.dtype)
    dtype = torch.promote_types(result, torch.float32)
    with torch.autocast(y.device.type, enabled=False):
        wide = y.to(dtype)
        squeeze, squeeze_bias, excite, excite_bias = (weight.to(dtype) for weight in weights)
        means = wide.flatten(2).mean(2)
        gates = functional.linear(functional.linear(means, squeeze, squeeze_bias).relu(), excite, excite_bias)
        channels = y.shape[1]
        shape = (*gates.shape[:1], channels, *[1] * (y.ndim - 2))
        out = wide * gates[:, :channels].sigmoid().view(shape)
        if gates.shape[1] != channels:
            out = out + gates[:, channels:].reshape(shape)
        return (out + residual).relu().to(result)


def _check(y: Tensor, residual: Tensor, weights: tuple[Tensor, ...], *, with_shift: bool) -> None:
    if y.ndim < 3 or y.shape != residual.shape:
        raise ValueError(
            f"got y {tuple(y.shape)} and residual {tuple(residual.shape)}; give two tensors of the same shape "
            "(batch, channels, places...)"
        )
    channels, hidden = y.shape[1], weights[0].shape[0]
    outputs = 2 * channels if with_shift else channels
    wanted = [(hidden, channels), (hidden,), (outputs, hidden), (outputs,)]
    given = [tuple(weight.shape) for weight in weights]
    if given != wanted:
        raise ValueError(
            f"got layers {given} for {channels} channels {'with' if with_shift else 'without'} a shift; give weights "
            f"and biases of {wanted}"
        )


def _is_compiled(y: Tensor, residual: Tensor, weights: tuple[Tensor, ...]) -> bool:
    if y.dtype is not residual.dtype or y.dtype not in _COMPILED_DTYPES:
        return False
    if any(weight.dtype is torch.float64 or weight.device != y.device for weight in weights):
        return False
    if y.is_cpu:
        return is_native() and _has_cpu_kernels()
    return y.is_cuda and allows_compiled() and _has_cuda_kernels()


def _has_cpu_kernels() -> bool:
    return _loaded_cpu_kernels()


def _has_cuda_kernels() -> bool:
    return find_spec("triton") is not None and _loaded_cuda_kernels()


# Dynamo takes their answers as constants, as it does with is_native, and does not look inside.
vars(_has_cpu_kernels)["_dynamo_marked_constant"] = True
vars(_has_cuda_kernels)["_dynamo_marked_constant"] = True


@cache
def _loaded_cpu_kernels() -> bool:
    try:
        torch.ops.load_library(str(built_library(SOURCES)))
    except (BuildError, OSError) as error:
        warnings.warn(
            f"squeeze_excitation runs in pure torch, which is slower: {error}; or set HOTLOOP_KERNELS=torch to choose "
            "this",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


@cache
def _loaded_cuda_kernels() -> bool:
    from hotloop.kernels import triton_excitation

    _LIBRARY.impl("squeeze_excitation_forward", triton_excitation.forward, "CUDA")
    _LIBRARY.impl("squeeze_excitation_backward", triton_excitation.backward, "CUDA")
    return True


def _dense_like(y: Tensor) -> Tensor:
    """An empty tensor laid out as the operators lay out their output."""
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(y.ndim)
    if layout is not None and not y.is_contiguous() and y.is_contiguous(memory_format=layout):
        return torch.empty_like(y)
    return torch.empty_like(y, memory_format=torch.contiguous_format)


def _forward_shapes(y: Tensor, residual: Tensor, squeeze: Tensor, _bias: Tensor, excite: Tensor, _: Tensor) -> Any:
    batch, channels, hidden, outputs = y.shape[0], y.shape[1], squeeze.shape[0], excite.shape[0]
    kept = (squeeze.new_empty((batch, size)) for size in (channels, hidden, outputs))
    return _dense_like(y), *kept


def _backward_shapes(_grad: Tensor, out: Tensor, _y: Tensor, squeeze: Tensor, excite: Tensor, *_: Tensor) -> Any:
    weights = (squeeze, squeeze[:, 0], excite, excite[:, 0])
    return torch.empty_like(out), torch.empty_like(out), *(weight.new_empty(weight.shape) for weight in weights)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    y, _, squeeze, _, excite, _ = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[0], y, squeeze, excite, *output[1:])


def _backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 6
    return torch.ops.hotloop.squeeze_excitation_backward(grad, *ctx.saved_tensors)


torch.library.register_fake("hotloop::squeeze_excitation_forward", _forward_shapes, lib=_LIBRARY)
torch.library.register_fake("hotloop::squeeze_excitation_backward", _backward_shapes, lib=_LIBRARY)
torch.library.register_autograd("hotloop::squeeze_excitation_forward", _backward, setup_context=_keep, lib=_LIBRARY)
