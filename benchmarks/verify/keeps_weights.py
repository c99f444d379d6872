"""Runs a program to its end, or for so many steps, and saves what its optimizers and its modules held at the end.

python keeps_weights.py OUT STEPS NOISE PROGRAM [ARGUMENTS]; NOISE is what first weights are multiplied by (1 + NOISE *
N(0, 1)), before the first step of each optimizer.
"""

import sys

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

_out, _most, _noise, _program, *_arguments = sys.argv[1:]
# Underscores, since the program shares these globals: one of its own is called `steps`.
_optimizers, _first, _steps = [], [], [0]
_generator = torch.Generator().manual_seed(5)


def tensors_of(optimizer):
    """What it updates, in order."""
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def before_step(optimizer, *_):
    """Keep it and its first weights."""
    if any(optimizer is known for known in _optimizers):
        return
    _optimizers.append(optimizer)
    with torch.no_grad():
        for tensor in tensors_of(optimizer) if float(_noise) else ():
            tensor.mul_(1 + float(_noise) * torch.randn(tensor.shape, generator=_generator))
    _first.extend(tensor.detach().clone() for tensor in tensors_of(optimizer))


def after_step(*_):
    """End the program after so many steps."""
    _steps[0] += 1
    if _steps[0] == int(_most):
        sys.exit(0)


def at_the_end():
    """Weights of all optimizers that stepped, in order, and buffers and weights of modules that have a name."""
    final = {}
    for index, tensor in enumerate(tensor for optimizer in _optimizers for tensor in tensors_of(optimizer)):
        final[f"updated.{index}"] = tensor.detach().clone()
    for name, value in list(globals().items()):
        if isinstance(value, torch.nn.Module):
            final |= {f"{name}.{key}": kept.detach().clone() for key, kept in value.state_dict().items()}
    return final


register_optimizer_step_pre_hook(before_step)
register_optimizer_step_post_hook(after_step)
sys.argv = [_program, *_arguments]
with open(_program) as _source:
    _text = _source.read()
try:
    exec(compile(_text, _program, "exec"), globals())
except SystemExit as leave:
    if leave.code:
        raise
torch.save({"first": {f"updated.{index}": value for index, value in enumerate(_first)}, "final": at_the_end()}, _out)
