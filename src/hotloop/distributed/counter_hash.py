"""Random-looking numbers that are a function of a counter and a seed, so that nothing of them must be stored."""

import hashlib

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def hashed(counters: Tensor, seed: int) -> Tensor:
    """32-bit numbers, int64 of the shape of `counters`: the same on every device and in every process.

    Source: the finalizer of MurmurHash3 (A. Appleby, public domain), twice, on the counter mixed with the seed.
    """
    values = (counters ^ (seed & _MASK)) & _MASK
    for salt in (0x9E3779B9, (seed >> 32) & _MASK):
        values = (values + salt) & _MASK
        values = ((values ^ (values >> 16)) * 0x85EBCA6B) & _MASK
        values = ((values ^ (values >> 13)) * 0xC2B2AE35) & _MASK
        values = values ^ (values >> 16)
    return values


def seed_of(name: str, seed: int) -> int:
    """A 64-bit seed for a name; does not depend on the process, as `hash(name)` does."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest())


def hashed_trits(size: int, seed: int, *, device: torch.device | str = "cpu") -> Tensor:
    """int8 trits, each value as likely as the others."""
    return (hashed(torch.arange(size, device=device), seed) % 3 - 1).to(torch.int8)
