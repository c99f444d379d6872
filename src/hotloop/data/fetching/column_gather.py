"""Rows of tensors, arrays and lists, gathered a batch at a time as `default_collate` would stack them."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset, default_collate, get_worker_info

from hotloop.data.fetching.item_template import attributes_of, filled, template_of
from hotloop.errors import NotApplicable

_NUMBERS = "biufc"  # kinds of numpy dtypes that torch knows
_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray, _numpy.memmap) if _numpy else ()


class ColumnGather:
    """The columns of one data set, looked up anew for each batch, so that what the program changes is seen."""

    def __init__(self, dataset: Any) -> None:
        """Raises NotApplicable where a sample is not just a row of some columns."""
        root = root_of(dataset)
        is_plain = isinstance(root, TensorDataset) and type(root).__getitem__ is TensorDataset.__getitem__
        if is_plain and hasattr(type(root), "__getitems__"):
            raise NotApplicable(f"{type(root).__name__} has a __getitems__ of its own, which torch calls itself")
        self._template = None if is_plain else template_of(root)
        reason = self._unfit(root)
        if reason is not None:
            raise NotApplicable(reason)

    def batch(self, dataset: Any, index: Any) -> Any:
        """The batch of these indices; None where they, or the columns by now, are of a kind left to the plain way."""
        columns = self.columns(dataset)
        rows = self.rows(dataset, index, columns)
        if rows is None:
            return None
        numbers = torch.tensor(rows)
        return self.assembled({name: gathered(column, rows, numbers) for name, column in columns.items()})

    def columns(self, dataset: Any) -> Mapping[str, Any]:
        """What rows are taken of, by name, as the data set holds it now."""
        return self._columns(root_of(dataset))

    def rows(self, dataset: Any, index: Any, columns: Mapping[str, Any]) -> list[int] | None:
        """The rows of these columns that an index of the loader asks for; None where that is left to the plain way."""
        rows = _rows(dataset, index)
        if not rows or any(_unfit(column, name) for name, column in columns.items()):
            return None
        return rows if min(rows) >= 0 and max(rows) < min(map(len, columns.values())) else None

    def assembled(self, found: Mapping[str, Any]) -> Any:
        """The batch, of the gathered rows of each column."""
        return list(found.values()) if self._template is None else filled(self._template, found)

    def _columns(self, root: Any) -> Mapping[str, Any]:
        if self._template is None:
            return {str(number): tensor for number, tensor in enumerate(root.tensors)}
        held = vars(root)
        return {name: held.get(name) for name in attributes_of(self._template)}

    def _unfit(self, root: Any) -> str | None:
        return next(filter(None, (_unfit(column, name) for name, column in self._columns(root).items())), None)


def root_of(dataset: Any) -> Any:
    """What the subsets of subsets are of."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return dataset


def _rows(dataset: Any, index: Any) -> list[int] | None:
    """Rows of the root for an index of the loader; None where they are not integers."""
    rows = list(index) if isinstance(index, (list, tuple)) else []
    while type(dataset) is Subset:
        if not _are_integers(rows):
            return None
        rows = _looked_up(dataset.indices, rows)
        dataset = dataset.dataset
    return rows if _are_integers(rows) else None


def _looked_up(indices: Any, rows: list[int]) -> list[Any]:
    if isinstance(indices, (Tensor, *_ARRAYS)) and indices.ndim == 1 and "int" in str(indices.dtype):
        return [int(indices[row]) for row in rows]
    return [indices[row] for row in rows]


def _are_integers(rows: Sequence[Any]) -> bool:
    return all(type(row) is int for row in rows)


def _unfit(column: Any, name: str) -> str | None:
    """Why rows of this cannot be gathered; None where they can."""
    if type(column) is Tensor:
        is_fit = column.layout is torch.strided and column.ndim and column.is_contiguous() and not column.requires_grad
        return None if is_fit and not column.is_quantized else f"column {name} is not a plain contiguous tensor"
    if type(column) in _ARRAYS:
        is_fit = column.ndim and column.dtype.kind in _NUMBERS and column.dtype.isnative
        return None if is_fit else f"column {name} is an array of {column.dtype}, which torch cannot take"
    if type(column) in (list, tuple):
        return None
    kind = "not an attribute of the data set" if column is None else f"a {type(column).__name__}"
    return f"column {name} is {kind}; tensors, numpy arrays and lists can be gathered"


def gathered(column: Any, rows: list[int], numbers: Tensor) -> Any:
    """The rows of one column, stacked as `default_collate` stacks them."""
    if isinstance(column, Tensor):
        return _selected(column, numbers.to(column.device))
    if isinstance(column, _ARRAYS):
        taken = column[numbers.numpy()]
        return torch.as_tensor(list(taken)) if taken.ndim == 1 else _shared(torch.as_tensor(taken))
    return default_collate([column[row] for row in rows])


def _selected(column: Tensor, numbers: Tensor) -> Tensor:
    """In a worker the rows go straight into shared memory, as those that `default_collate` stacks do."""
    if get_worker_info() is None or column.device.type != "cpu":
        return column.index_select(0, numbers)
    out = _shared_like(column, (len(numbers), *column.shape[1:]))
    return torch.index_select(column, 0, numbers, out=out)


def _shared(batch: Tensor) -> Tensor:
    return batch if get_worker_info() is None else _shared_like(batch, batch.shape).copy_(batch)


def _shared_like(like: Tensor, shape: Sequence[int]) -> Tensor:
    storage = torch.UntypedStorage._new_shared(like.element_size() * torch.Size(shape).numel())  # pyright: ignore
    return torch.empty(0, dtype=like.dtype).set_(storage, 0, shape)  # pyright: ignore
