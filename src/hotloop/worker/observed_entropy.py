"""Random numbers that a program takes from the operating system, made the same in every watched run."""

import hashlib
import multiprocessing
import os
import random
from collections.abc import Callable
from typing import Any, cast


def seed_system_entropy(seed: int) -> None:
    """For the rest of this process and its forks: os.urandom, and what is made of it, repeats itself.

    That covers `uuid.uuid4`, `secrets`, `random.SystemRandom`, and numpy's generators that are built without a seed.
    """
    urandom = _repeating(seed)
    os.urandom = urandom
    cast(Any, random)._urandom = urandom  # its own name for os.urandom


def _repeating(seed: int) -> Callable[[int], bytes]:
    calls: list[None] = []

    def urandom(size: int, /) -> bytes:
        calls.append(None)
        origin: Any = (seed, multiprocessing.current_process().name, len(calls))
        return hashlib.shake_256(repr(origin).encode()).digest(size)

    return urandom
