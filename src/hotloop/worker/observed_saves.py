"""Records what a watched program gives to torch.save, and how its models and optimizers end."""

import functools
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from hotloop.worker.object_leaves import leaves_of, plain_leaves_of, start_sketch
from hotloop.worker.observed_errors import Fail, contained
from hotloop.worker.observed_tensors import can_be_followed
from hotloop.worker.saved_object import FINAL_STATE, SavedLeaf, SavedObject

_KEPT_WHOLE = 16  # saves whose leaves are kept: of later ones only which leaves there were


class ObservedSaves:
    """Every object that is saved, in order; `step` counts the steps so far.

    Where it is `passive`, only numbers and texts in plain containers are looked at, and no code of the program's runs.
    """

    def __init__(self, *, step: Callable[[], int], is_passive: bool = False) -> None:
        self._step = step
        self._is_passive = is_passive
        self._starts: dict[tuple[str, tuple[int, ...]], list[float]] = {}
        self._saves: list[SavedObject] = []

    def follow(self, fail: Fail) -> None:
        """Have what is saved in this process recorded; it is written as ever.

        Below torch.save, which a plan may have wrapped: what is recorded is what is written.
        """
        keep = contained(self._keep_saved, fail)
        for name in ("_save", "_legacy_save"):
            setattr(torch.serialization, name, _telling(getattr(torch.serialization, name), keep))

    def start(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Training starts with these: what is saved of them later is told by how far it has moved."""
        for name, tensor in tensors:
            if can_be_followed(tensor) and tensor.numel():
                self._starts[name, tuple(tensor.shape)] = start_sketch(tensor)

    def keep_final(self, states: Mapping[str, Any]) -> None:
        """The program has come to its own end: how each module and optimizer was left."""
        self._keep(FINAL_STATE, leaves_of(dict(states), self._starts))

    def _keep_saved(self, obj: Any) -> None:
        leaves = plain_leaves_of(obj) if self._is_passive else leaves_of(obj, self._starts)
        self._keep(f"save {len(self._saves) + 1}", leaves)

    def _keep(self, title: str, leaves: Mapping[str, SavedLeaf]) -> None:
        digest = zlib.crc32(repr([(path, leaf.kind) for path, leaf in sorted(leaves.items())]).encode())
        kept = leaves if len(self._saves) < _KEPT_WHOLE or title == FINAL_STATE else {}
        self._saves.append(SavedObject(title=title, step=self._step(), digest=digest, leaves=kept))

    def to_data(self) -> list[dict[str, Any]]:
        """What was seen."""
        return [save.to_data() for save in self._saves]


def _telling(original: Callable[..., None], keep: Callable[[Any], None]) -> Callable[..., None]:
    def save(obj: Any, *args: Any, **kwargs: Any) -> None:
        keep(obj)
        original(obj, *args, **kwargs)

    return functools.wraps(original)(save)
