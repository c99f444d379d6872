"""Activation checkpointing of single modules: nothing is kept for backward but their inputs, the rest is recomputed.

The training must stay equal. So the first call of a block of each kind runs without it and is watched: what a second
forward pass would do twice (buffers, attributes, inputs changed in place, random numbers that are not torch's) is
refused by name.
"""

import random
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from hotloop.compile.blocks import HOOKS
from hotloop.compile.root_call import ATTRIBUTE, Call, instead_of_call, own_compiled
from hotloop.errors import HotloopError, NotApplicable

# In training no output of theirs depends on the statistics that they keep.
_KEEP_STATISTICS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
_PRODUCTS = (
    torch.ops.aten.mm.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten.baddbmm.default,
    torch.ops.aten.convolution.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
)
_OF_TORCH = frozenset((*vars(nn.Module()), ATTRIBUTE))
Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]


class ChangedInputError(HotloopError):
    """An input of a checkpointed module was changed in place before the backward pass needed it."""


class Checkpointed:
    """What is around the calls of blocks of one kind; `why_not` says why they stay as they are, where the first call of
    one of them has shown a reason.

    With `keeps_products` the outputs of matrix products, convolutions and attention are kept, and only what lies
    between them is recomputed. `calls` counts the calls whose activations were given up.
    """

    def __init__(self, *, keeps_products: bool) -> None:
        self._keeps_products = keeps_products
        self._is_looked_at = False
        self.why_not = ""
        self.calls = 0

    def __call__(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The outputs of the module, bit for bit those of `call`."""
        if not torch.is_grad_enabled() or self.why_not:
            return call(*args, **kwargs)
        if not self._is_looked_at:
            return self._first_call(module, call, args, kwargs)
        self.calls += 1
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        versions = [_version(tensor) for tensor in inputs]

        def forward(*args: Any) -> Any:
            if [_version(tensor) for tensor in inputs] != versions:
                raise ChangedInputError(
                    f"an input of {type(module).__name__} was changed in place after its forward pass, so that it "
                    "cannot be recomputed: change a copy, or drop 'checkpointing'"
                )
            return call(*args, **kwargs)

        return checkpoint(forward, *args, use_reentrant=False, context_fn=self._contexts(module))

    def _first_call(self, module: nn.Module, call: Call, args: Any, kwargs: Any) -> Any:
        before = _Watched(module, (args, kwargs))
        outputs = call(*args, **kwargs)
        self.why_not = before.changes()
        self._is_looked_at = True
        return outputs

    def _contexts(self, module: nn.Module) -> Contexts:
        statistics = [part for part in module.modules() if isinstance(part, _KEEP_STATISTICS) and part.training]

        def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
            first: AbstractContextManager[Any] = nullcontext()
            again: AbstractContextManager[Any] = nullcontext()
            if self._keeps_products:
                first, again = create_selective_checkpoint_contexts(list(_PRODUCTS))
            return first, _statistics_kept(statistics, again) if statistics else again

        return contexts


def check_checkpointable(module: nn.Module) -> None:
    """Raise NotApplicable for what can be seen before a first call: hooks, and layers that are compiled."""
    for name, part in module.named_modules():
        where = f"{type(part).__name__} {name!r}" if name else f"the block {type(part).__name__}"
        if any(getattr(part, hooks, None) for hooks in HOOKS):
            raise NotApplicable(f"{where} has hooks, which a second forward pass would call a second time")
        if own_compiled(instead_of_call(part)):
            raise NotApplicable(f"{where} is compiled; let compile recompute instead, by its memory_budget")


@contextmanager
def _statistics_kept(norms: Sequence[nn.Module], inside: AbstractContextManager[Any]) -> Generator[None]:
    """Running statistics are those of one forward pass; in training no output depends on them."""
    kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]
    try:
        with inside:
            yield
    finally:
        for buffer, value in kept:
            buffer.data.copy_(value)  # .data: what other calls have saved is not taken for changed


class _Watched:
    """What a second forward pass of a module might do twice, as it was before the first."""

    def __init__(self, module: nn.Module, inputs: Any) -> None:
        self._module = module
        self._tensors = [(f"its input {i}", t) for i, t in enumerate(tree_leaves(inputs)) if isinstance(t, Tensor)]
        self._tensors += list(module.named_parameters())
        self._buffers = [  # by value: operators of torch that update statistics do not count versions
            (f"{name}.{key}".lstrip("."), buffer, buffer.clone())
            for name, part in module.named_modules()
            if not isinstance(part, _KEEP_STATISTICS)
            for key, buffer in part.named_buffers(recurse=False)
        ]
        self._versions = [_version(tensor) for _, tensor in self._tensors]
        self._attributes = [(name, part, _attributes(part)) for name, part in module.named_modules()]
        self._draws = _host_generators()

    def changes(self) -> str:
        """What has changed, as the reason of a refusal; nothing for nothing."""
        kind = type(self._module).__name__
        for (name, tensor), version in zip(self._tensors, self._versions, strict=True):
            if _version(tensor) != version:
                return f"{kind} changes {name} in place, and a second forward pass would do it again"
        for name, buffer, before in self._buffers:
            if not torch.equal(buffer, before):
                return f"{kind} changes {name} in place, and a second forward pass would do it again"
        for name, part, before in self._attributes:
            after = _attributes(part)
            keys = before.keys() | after.keys()
            changed = sorted(key for key in keys if _differs(before.get(key), after.get(key)))
            if changed:
                place = ".".join(filter(None, [name, changed[0]]))
                return f"{kind} changes its attribute {place}, and a second forward pass would do it again"
        if _host_generators() != self._draws:
            return f"{kind} draws random numbers from Python or NumPy, and a second forward pass would draw others"
        return ""


def _attributes(part: nn.Module) -> dict[str, Any]:
    """Attributes by name, and how many items those have that are containers."""
    own = {key: value for key, value in vars(part).items() if key not in _OF_TORCH}
    sizes = {key: _Length(len(value)) for key, value in own.items() if isinstance(value, list | dict | set | deque)}
    tensors = dict([*part.named_buffers(recurse=False), *part.named_parameters(recurse=False)])
    return {**own, **tensors, **{f"{key} (its items)": size for key, size in sizes.items()}}


class _Length(int):
    """A number of items, which is compared by value."""


def _differs(before: Any, after: Any) -> bool:
    return before != after if isinstance(before, _Length) else before is not after


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _host_generators() -> tuple[Any, ...]:
    numpy: Any = sys.modules.get("numpy")  # hotloop lives in environments without it
    if numpy is None:
        return (random.getstate(),)
    name, words, *rest = numpy.random.get_state(legacy=True)
    return random.getstate(), name, bytes(words), *rest
