"""Which layers of a model are compiled each on its own: the block that repeats, or those that are named."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._dynamo import config

from hotloop.compile.root_call import call_compiled
from hotloop.errors import NotApplicable

REPEATS = 3  # fewer of a kind share too little of the compiling
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
Kind = tuple[object, ...]
_numbers = itertools.count()


def repeated_blocks(root: nn.Module, *, least: int = REPEATS) -> list[nn.Module]:
    """The outermost modules with layers inside that repeat, in the order of `modules`.

    Two are the same block where classes, settings, and shapes and dtypes of all their parts are. Containers that are
    not called (ModuleList, ModuleDict) are looked through. Raises NotApplicable where none is there `least`
    times.
    """
    kinds = {
        module: kind_of(module)
        for module in root.modules()
        if module is not root and not isinstance(module, nn.ModuleList | nn.ModuleDict) and _has_layers(module)
    }
    counts = Counter(kinds.values())
    blocks = [module for module, kind in kinds.items() if counts[kind] >= least]
    if not blocks:
        most = max(counts.values(), default=0)
        raise NotApplicable(
            f"no block of layers is there {least} times in {type(root).__name__} (the most frequent: {most} times)"
        )
    inner = {part for block in blocks for part in block.modules() if part is not block}
    return [block for block in blocks if block not in inner]


def named_layers(root: nn.Module, pattern: str) -> list[nn.Module]:
    """The modules whose names match the pattern, as "blocks.*"; of those inside of each other, the outermost.

    Raises NotApplicable where there are none.
    """
    names = {name: module for name, module in root.named_modules() if name}
    found = {name: module for name, module in names.items() if fnmatchcase(name, pattern)}
    if not found:
        known = ", ".join(list(names)[:8]) or "none"
        raise NotApplicable(f"no layer of {type(root).__name__} is named {pattern!r}; its layers are {known}, ...")
    return [module for name, module in found.items() if not any(name.startswith(f"{outer}.") for outer in found)]


def kind_of(module: nn.Module) -> Kind:
    """What two modules must have in common to run the same compiled code."""
    parts = tuple((name, type(part), part.extra_repr()) for name, part in module.named_modules())
    tensors = (*module.named_parameters(), *module.named_buffers())
    return parts, tuple((name, tuple(tensor.shape), tensor.dtype, tensor.requires_grad) for name, tensor in tensors)


def compile_each(layers: Sequence[nn.Module], options: Mapping[str, Any]) -> None:
    """Let each layer call compiled code in place of its eager call, those of one kind and with the same hooks the same.

    Dynamo counts recompiles by code object, so that each kind has one of its own. Its guards leave hooks out as it is
    set at first, and the code of a layer without hooks would run for one with hooks: they are put in, for the process.
    """
    config.skip_nnmodule_hook_guards = False
    functions: dict[Kind, Callable[..., Any]] = {}
    for layer in layers:
        kind = (*kind_of(layer), *_hooks_of(layer))
        if kind not in functions:
            functions[kind] = torch.compile(_own_function(), **options)
        call_compiled(layer, partial(functions[kind], layer))


def _hooks_of(module: nn.Module) -> Kind:
    parts = module.named_modules()
    return tuple((name, kind, *map(id, vars(part)[kind].values())) for name, part in parts for kind in HOOKS)


def _has_layers(module: nn.Module) -> bool:
    return any(True for _ in module.children()) and any(True for _ in module.parameters())


def _own_function() -> Callable[..., Any]:
    """A function with a code object of its own; the module is an argument, so that no guard knows one of them."""

    def block(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return module._call_impl(*args, **kwargs)  # pyright: ignore[reportPrivateUsage]

    block.__code__ = block.__code__.replace(co_name=f"block_{next(_numbers)}")
    return block
