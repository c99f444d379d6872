"""What a glance at a data set shows: its attributes, their lengths and versions, in microseconds.

A digest of all that samples may depend on (`dataset_state`) costs as much as some kept samples do. Between two of them,
an outline that is the same says that no attribute was put in another's place, lengthened, or changed by torch.
"""

import itertools
import re
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from torch import Tensor

from hotloop.data.fetching.dataset_state import PLAIN, attributes, nested

_FEW = 4
_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS = (Tensor, _numpy.ndarray) if _numpy is not None else (Tensor,)
_SIZED = (list, tuple, dict, set, frozenset)
_FIXED = (type(None), type, ModuleType, FunctionType, BuiltinFunctionType, re.Pattern)


class Outline:
    """The attributes of a data set and of those that it wraps, as they are now.

    `is_enough` is False where one of them may change without a trace in an outline, as generators, values shared
    between processes and objects of the program's own do.
    """

    def __init__(self, dataset: Any) -> None:
        self.is_enough = True
        self._values: list[Any] = []
        wrapped = list(nested(dataset))
        for one in wrapped:
            for _, value in attributes(one):
                self._add(value, wrapped)

    def is_same(self, other: "Outline") -> bool:
        """Whether both show the same objects, and the same plain values."""
        if len(self._values) != len(other._values):
            return False
        pairs = zip(self._values, other._values, strict=True)
        return all(one is two or (isinstance(one, PLAIN) and one == two) for one, two in pairs)

    def _add(self, value: Any, wrapped: list[Any]) -> None:
        self._values.append(value)
        if isinstance(value, _SIZED):
            self._values.append(len(value))
            few = itertools.islice(value.values() if isinstance(value, dict) else value, _FEW)
            self.is_enough = self.is_enough and all(isinstance(part, (*PLAIN, *_FIXED, *_ARRAYS)) for part in few)
        elif isinstance(value, Tensor):
            self._values.append(0 if value.is_inference() else value._version)
        elif not isinstance(value, (*PLAIN, *_FIXED, *_ARRAYS)) and not any(value is one for one in wrapped):
            self.is_enough = False
