"""Where the random generators stand that every part of a process shares: torch's, Python's and numpy's."""

import random
import sys
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class RandomStates:
    """The states at one moment, to be compared with another and to be put back."""

    torch_state: bytes
    python_state: Any
    numpy_state: tuple[Any, ...]
    cuda_states: tuple[bytes, ...]

    @staticmethod
    def now() -> "RandomStates":
        """The states of this process; no number is drawn."""
        python_state, numpy_state = python_streams()
        return RandomStates(
            torch_state=_bytes(torch.random.default_generator.get_state()),
            python_state=python_state,
            numpy_state=numpy_state,
            cuda_states=tuple(map(_bytes, torch.cuda.get_rng_state_all())) if torch.cuda.is_initialized() else (),
        )

    def put_back(self) -> None:
        """As if nothing had been drawn since."""
        torch.random.default_generator.set_state(_tensor(self.torch_state))
        random.setstate(self.python_state)
        if self.numpy_state:
            numpy: Any = sys.modules["numpy"]
            name, keys, *rest = self.numpy_state
            numpy.random.set_state((name, numpy.frombuffer(keys, dtype="u4"), *rest))
        if self.cuda_states:
            torch.cuda.set_rng_state_all([_tensor(state) for state in self.cuda_states])


def python_streams() -> tuple[Any, tuple[Any, ...]]:
    """Where Python's and numpy's shared generators stand; () for numpy where it is not loaded."""
    numpy: Any = sys.modules.get("numpy")
    state = numpy.random.get_state() if numpy else ()
    return random.getstate(), (state[0], state[1].tobytes(), *state[2:]) if state else ()


def _bytes(state: torch.Tensor) -> bytes:
    return state.numpy().tobytes()


def _tensor(state: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(state), dtype=torch.uint8)
