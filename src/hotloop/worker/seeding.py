"""The seeds of a program: set before it starts, and shifted where it sets its own."""

import os
import random
from dataclasses import dataclass
from typing import Any

import torch

from hotloop.worker.observed_entropy import seed_system_entropy

_SEED_SHIFT = 7919


@dataclass
class Seeding:
    """Whether the program has seeded torch itself so far."""

    seeds_itself: bool = False


def seed_program(seed: int | None, *, shift: int) -> Seeding:
    """Seed torch, numpy, random and the system's entropy (None: nothing), for the rest of this process.

    Where the program calls `torch.manual_seed` itself it gets other random numbers of the same law for each `shift`.
    """
    seeding = Seeding()
    if seed is not None:
        _seed_everything(seed)
        seed_system_entropy(seed)
    original = torch.manual_seed

    def manual_seed(value: Any) -> torch.Generator:
        seeding.seeds_itself = True
        return original(int(value) + _SEED_SHIFT * shift)

    def from_entropy() -> int:
        value = int.from_bytes(os.urandom(6), "big")
        original(value)
        return value

    torch.manual_seed = torch.random.manual_seed = manual_seed
    torch.seed = torch.random.seed = from_entropy  # from the system's entropy, which repeats itself here
    return seeding


def _seed_everything(seed: int) -> None:
    import numpy

    random.seed(seed)
    numpy.random.seed(seed)  # the legacy state is the one that unseeded programs draw from
    torch.manual_seed(seed)
