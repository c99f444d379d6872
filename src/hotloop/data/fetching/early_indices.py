"""Which samplers may be asked for indices before the program would ask, without another number for anyone."""

from typing import Any

from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

_AT_THE_START = (SequentialSampler, SubsetRandomSampler, WeightedRandomSampler, DistributedSampler)
_PLAIN = (list, tuple, range)
_SEEDED = "accelerate.data_loader.SeedableRandomSampler"  # draws from a generator of its own, which it seeds each epoch


def why_not_early(sampler: Any) -> str | None:
    """The reason why indices must be drawn when the program asks for their batch; None where they need not be.

    torch's own samplers draw when they begin, or from a generator that they make for themselves.
    """
    if type(sampler) is BatchSampler:
        return why_not_early(sampler.sampler)
    if type(sampler) in (*_AT_THE_START, *_PLAIN):
        return None
    if not _is_random(sampler):
        return f"a {type(sampler).__name__} is a sampler of the program's own, which may draw numbers as it goes"
    if draws_at_its_end(sampler) and (sampler.replacement or sampler.num_samples > len(sampler.data_source)):
        return "its sampler draws as it goes, from a generator that the program has made"
    return None


def draws_at_its_end(sampler: Any) -> bool:
    """Whether it draws once more, from a generator that the program has made, or counts, when its indices run out."""
    if type(sampler) is BatchSampler:
        return draws_at_its_end(sampler.sampler)
    return _is_seeded(sampler) or (type(sampler) is RandomSampler and sampler.generator is not None)


def _is_random(sampler: Any) -> bool:
    return type(sampler) is RandomSampler or _is_seeded(sampler)


def _is_seeded(sampler: Any) -> bool:
    return f"{type(sampler).__module__}.{type(sampler).__qualname__}" == _SEEDED
