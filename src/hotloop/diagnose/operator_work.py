"""The time that operators take beyond what calling them costs: in arithmetic, or in moving memory."""

from collections.abc import Mapping
from typing import Any

from torch.utils.flop_counter import flop_registry

RIDGE = 8.0  # operations for each byte, from which on a CPU computes: some 100 GFLOP/s beside some 13 GB/s a core
_OTHER_PRODUCTS = ("rnn", "lstm", "gru", "attention", "cdist", "convolution")  # which the registry does not count


class OperatorWork:
    """Seconds and numbers of operators of both kinds."""

    def __init__(self) -> None:
        self._seconds = {True: 0.0, False: 0.0}
        self._calls = {True: 0, False: 0}

    def note(
        self, packet: Any, args: Any, kwargs: Mapping[str, Any], result: Any, *, seconds: float, size: int
    ) -> None:
        """Add an operator that read and wrote `size` bytes."""
        computes = _computes(packet, args, kwargs, result, size)
        self._seconds[computes] += seconds
        self._calls[computes] += 1

    def computing(self, call: float) -> float:
        """Seconds of operators that compute, where calling one takes `call`."""
        return max(0.0, self._seconds[True] - call * self._calls[True])

    def moving(self, call: float) -> float:
        """Seconds of operators that move memory."""
        return max(0.0, self._seconds[False] - call * self._calls[False])


def _computes(packet: Any, args: Any, kwargs: Mapping[str, Any], result: Any, size: int) -> bool:
    count = flop_registry.get(packet)
    if count is None:
        return any(word in str(packet) for word in _OTHER_PRODUCTS)
    return count(*args, **kwargs, out_val=result) >= RIDGE * size
