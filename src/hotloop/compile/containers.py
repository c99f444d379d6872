"""Tensors inside whatever a forward takes or returns."""

import copy
import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import GeneratorType
from typing import Any

import torch
from torch import Tensor, nn

_DEEPEST = 8
_OPAQUE = (str, bytes, int, float, complex, type(None), type, nn.Module, torch.device, torch.dtype, torch.Size)


def map_tensors(value: Any, change: Callable[[Tensor], Tensor], *, depth: int = _DEEPEST) -> Any:
    """`value` with every tensor replaced by `change(tensor)`, in containers of the same kinds.

    Looks into mappings, lists, tuples of any class, dataclasses and plain objects. A container in which nothing changes
    is returned itself, any other as a copy: the program's own is left as it was.
    """
    if isinstance(value, Tensor):
        return change(value)
    if depth == 0 or isinstance(value, _OPAQUE) or callable(value):
        return value
    parts = dict(_parts(value))
    changed = {key: map_tensors(part, change, depth=depth - 1) for key, part in parts.items()}
    if all(changed[key] is part for key, part in parts.items()):
        return value
    return _rebuilt(value, changed)


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor in `value`, where `map_tensors` finds them, in the same order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(value, keep)
    return found


def generated_in(
    context: Callable[[], AbstractContextManager[Any]],
    generator: Generator[Any, Any, Any],
    change: Callable[[Any], Any],
) -> Generator[Any, Any, Any]:
    """What `generator` yields, changed; each piece of it runs in a context of its own, the caller's pieces do not."""
    resume = partial(next, generator)
    while True:
        try:
            with context():
                item = resume()
        except StopIteration as end:
            return change(end.value)
        try:
            sent = yield change(item)
        except GeneratorExit:
            generator.close()
            raise
        except BaseException as error:  # noqa: BLE001  # handed on to the program's generator
            resume = partial(generator.throw, error)
        else:
            resume = partial(generator.send, sent)


def is_generator(value: Any) -> bool:
    """Whether a forward returned a generator, whose work is yet to be done."""
    return isinstance(value, GeneratorType)


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif dataclasses.is_dataclass(value):
        yield from (
            (field.name, getattr(value, field.name))
            for field in dataclasses.fields(value)
            if hasattr(value, field.name)
        )
    else:
        yield from getattr(value, "__dict__", {}).items()


def _rebuilt(value: Any, parts: dict[Any, Any]) -> Any:
    if isinstance(value, tuple):
        items = list(parts.values())
        return value._make(items) if hasattr(value, "_make") else type(value)(items)  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, Mapping) and not hasattr(value, "__setitem__"):  # such as a mapping proxy
        return type(value)(parts)  # pyright: ignore[reportCallIssue]
    new: Any = copy.copy(value)
    for key, part in parts.items():
        if isinstance(value, (Mapping, list)):
            new[key] = part
        else:
            object.__setattr__(new, key, part)
    return new
