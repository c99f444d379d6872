"""The context of a whole series by one call of the extractor, in place of one call each update."""

import torch
from torch import Tensor

from hotloop.train.episodes.context import ContextSource
from hotloop.train.episodes.options import EpisodicOptions
from hotloop.train.episodes.schedule import Schedule

_CHECKED_WINDOWS = 2
_RTOL, _ATOL = 1e-4, 1e-6  # room for fp32 sums taken in another order


def context_of_series(
    values: Tensor, extractor: ContextSource | None, schedule: Schedule, options: EpisodicOptions
) -> Tensor | None:
    """The context (N, C) of the series `values` (N, ...); None without an extractor.

    The extractor is called once with (1, N, ...) and, with `check_context`, once more with two windows whose context
    must be the same as the cut of the series'. Raises ValueError where it is not, or where inputs are noisy.
    """
    if options.input_noise_std is not None:
        raise ValueError(
            "context_mode='per_series' was given with input noise; a context taken from noisy inputs changes with each "
            "update: give context_mode='per_batch', or no noise"
        )
    if extractor is None:
        return None
    whole = extractor(values.unsqueeze(0))[0]
    if options.check_context and schedule.window < values.shape[0]:
        _check_windows(values, whole, extractor, schedule.window)
    return whole


def _check_windows(values: Tensor, whole: Tensor, extractor: ContextSource, window: int) -> None:
    generator = torch.Generator().manual_seed(0)  # of its own, so that the draws of the run stay what they are
    last = values.shape[0] - window
    starts = torch.randint(1, last + 1, (_CHECKED_WINDOWS,), generator=generator).tolist()
    episodes = torch.stack([values[start : start + window] for start in starts])
    expected = torch.stack([whole[start : start + window] for start in starts])
    context = extractor(episodes)
    if context.shape != expected.shape or not torch.allclose(context, expected, rtol=_RTOL, atol=_ATOL):
        raise ValueError(
            "context_mode='per_series' was given, but the extractor's context of a window differs from that window of "
            "the whole series' context: it looks at more than one step at a time; give context_mode='per_batch'"
        )
