"""Batches that are sliced on a device from columns that are kept there, held against those that the host stacks."""

import os
import sys
import weakref
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from hotloop.data.fetching.column_gather import ColumnGather, gathered
from hotloop.data.fetching.comparisons import compared, is_due
from hotloop.data.fetching.dataset_state import changed, state_of_columns
from hotloop.data.fetching.fetch_paths import Plain
from hotloop.data.fetching.shared_counts import Count, SharedCounts
from hotloop.errors import NotApplicable

_SHARE_OF_FREE = 0.8
_MOST_CHECKED = 256 * 2**20  # bytes of the columns that are read whole at the beginning of each epoch
_MIB = 2**20
_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray, _numpy.memmap) if _numpy else ()

FreeMemory = Callable[[torch.device], int]  # bytes


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device, or in the memory of this machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class ResidentPath:
    """Keeps the columns of one data set on a device, and slices batches there.

    The columns go to the current device of kind `device` when the first batch is asked for, and for CUDA not before
    the program has used it.
    """

    is_thread_safe = False

    def __init__(self, dataset: Any, device: str, *, free: FreeMemory = free_memory) -> None:
        """Raises NotApplicable where a sample of the data set is not just a row of tensors, arrays and numbers."""
        self._gather = ColumnGather(dataset)
        self._device, self._free = device, free
        self.counts = SharedCounts()
        self._held: dict[str, Tensor] = {}
        self._identity: list[tuple[int, int]] = []
        self._state: Mapping[str, str] = {}
        self._epochs: weakref.WeakSet[Any] = weakref.WeakSet()
        weakref.finalize(dataset, self._held.clear)
        columns = self._gather.columns(dataset)
        for name, column in columns.items():
            _check_kind(column, name)
        if self._is_ready():
            self._check_size(columns)

    @property
    def num_bytes(self) -> int:
        """Bytes of the columns that are kept."""
        return sum(column.nbytes for column in self._held.values())

    def fetch(self, fetcher: Any, index: Any, plain: Plain) -> Any:
        """The batch, on the device where it can be sliced there."""
        counts = self.counts
        is_stacked = fetcher.auto_collation and fetcher.collate_fn is default_collate
        if counts.refused is not None or not is_stacked or get_worker_info() is not None or not self._is_ready():
            return plain(index)
        is_first = self._begins_epoch(fetcher)
        try:
            batch = self._sliced(fetcher.dataset, index, is_first=is_first)
        except NotApplicable as reason:
            counts.refuse(str(reason))
            self._held.clear()
            return plain(index)
        if batch is None:
            counts.add(Count.PLAIN)
            return plain(index)
        if is_first or is_due(counts):
            batch = compared(batch, plain(index), counts, name="resident_data", on_host=True)
        counts.add(Count.FETCHED)
        return batch

    def _is_ready(self) -> bool:
        """A program that has not used CUDA yet may fork, or never use it."""
        return self._device != "cuda" or (torch.cuda.is_available() and torch.cuda.is_initialized())

    def _begins_epoch(self, fetcher: Any) -> bool:
        """torch makes a fetcher for each epoch."""
        if fetcher in self._epochs:
            return False
        self._epochs.add(fetcher)
        return True

    def _sliced(self, dataset: Any, index: Any, *, is_first: bool) -> Any:
        columns = self._gather.columns(dataset)
        rows = self._gather.rows(dataset, index, columns)
        if rows is None:
            return None
        if not self._held:
            self._keep(columns)
        elif [_identity(column) for column in columns.values()] != self._identity:
            raise NotApplicable(_told_change("its tensors"))
        elif is_first and (name := changed(self._state, _state(columns))) is not None:
            raise NotApplicable(_told_change(f"column {name}"))
        found: dict[str, Any] = {}
        for name, column in self._held.items():
            found[name] = column.index_select(0, torch.tensor(rows, device=column.device))
        return self._gather.assembled(found)

    def _keep(self, columns: Mapping[str, Any]) -> None:
        self._check_size(columns)
        for name, column in columns.items():
            _check_kind(column, name)
        device = self._place()
        self._held.update({name: _as_tensor(column).to(device) for name, column in columns.items()})
        self._identity = [_identity(column) for column in columns.values()]
        self._state = _state(columns)

    def _place(self) -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if self._device == "cuda" else torch.device("cpu")

    def _check_size(self, columns: Mapping[str, Any]) -> None:
        """Raise NotApplicable where the columns take more than four fifths of what is free on the device."""
        free = self._free(self._place())
        needed = sum(_num_bytes(column) for column in columns.values() if self._device == "cuda" or _is_list(column))
        if needed > _SHARE_OF_FREE * free:
            raise NotApplicable(
                f"its columns take {needed / _MIB:.0f} MiB, and of the {free / _MIB:.0f} MiB that are free on "
                f"{self._place()} at most {_SHARE_OF_FREE:.0%} are taken"
            )


def _told_change(what: str) -> str:
    return f"the data set changes while it is read ({what}): what is kept on the device would be old"


def _is_list(column: Any) -> bool:
    return isinstance(column, (list, tuple))


def _check_kind(column: Any, name: str) -> None:
    if isinstance(column, Tensor) and column.device.type != "cpu":
        raise NotApplicable(f"column {name} is on {column.device} already; batched_fetch gathers batches there")
    if isinstance(column, (Tensor, *_ARRAYS)):
        return
    kinds = {type(value) for value in column}
    if len(kinds) != 1 or not kinds <= {int, float, bool}:
        told = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
        raise NotApplicable(f"column {name} is a list of {told}; what is kept on a device are tensors and numbers")


def _as_tensor(column: Any) -> Tensor:
    """The whole column, of the dtype that `default_collate` gives its rows."""
    return (
        column if isinstance(column, Tensor) else gathered(column, list(range(len(column))), torch.arange(len(column)))
    )


def _num_bytes(column: Any) -> int:
    return len(column) * 8 if _is_list(column) else int(column.nbytes)


def _identity(column: Any) -> tuple[int, int]:
    """Another one where the program has put something else into its place, or torch has changed it in place."""
    return id(column), column._version if isinstance(column, Tensor) and not column.is_inference() else 0


def _state(columns: Mapping[str, Any]) -> dict[str, str]:
    """Every byte of small columns and of lists, and of large ones what `state_of_columns` looks at."""
    state = state_of_columns(columns)
    if sum(map(_num_bytes, columns.values())) <= _MOST_CHECKED:
        for name, column in columns.items():
            state[name] += f" {_checksum(column)}"
    return state


def _checksum(column: Any) -> int:
    if _is_list(column):
        return hash(tuple(column))
    if isinstance(column, Tensor):
        column = column.detach().reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(column if column.flags.c_contiguous else column.tobytes())
