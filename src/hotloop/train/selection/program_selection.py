"""Selection in a program that knows nothing of it: its loader draws hard examples, its loss function is listened to."""

import functools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import dataloader

from hotloop.train.selection.selective_sampler import SelectiveSampler

LOSS_FUNCTIONS = ("cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "mse_loss")
_UNDERSTOOD = {"reduction", "label_smoothing", "ignore_index"}


class ProgramSampler(SelectiveSampler):
    """A stale-loss sampler that knows which batch the program is training on, and counts examples."""

    def __init__(self, num_examples: int, *, batch_size: int, drop_last: bool, keep: float) -> None:
        seed = int(torch.randint(2**31, ()).item())  # from the program's own stream, as its RandomSampler would
        super().__init__(num_examples, batch_size=batch_size, keep=keep, seed=seed)
        self._least = batch_size if drop_last else 1
        self._drawn: deque[list[int]] = deque()
        self.current: list[int] | None = None
        self.num_trained = 0
        self.num_offered = 0.0
        self.num_losses = 0

    def __len__(self) -> int:
        whole, rest = divmod(self._num_examples, self._batch_size)
        return whole + (rest >= self._least and rest > 0)

    def __iter__(self) -> Iterator[list[int]]:
        self._drawn.clear()
        for indices in super().__iter__():
            if len(indices) >= self._least:
                self._drawn.append(indices)
                yield indices

    def arrived(self) -> None:
        """The next batch that was drawn has reached the program."""
        self.current = self._drawn.popleft() if self._drawn else None

    def mean_loss(self, losses: Tensor, mean: Tensor) -> Tensor:
        """The `mean` to differentiate of the current batch, with the value that the data is estimated to have.

        While examples are left out, the mean over a batch is that of hard ones; what the program reads and prints, and
        what is compared, stands for all of them.
        """
        indices, self.current = self.current, None
        if indices is None:
            return mean
        self.record(indices, losses)
        weights = self.weights(indices)
        self.num_losses += 1
        self.num_trained += len(indices)
        self.num_offered += float(weights.sum())
        if not self.is_active:
            return mean
        weights = weights.to(losses.device)
        estimate = (weights * losses.detach()).sum() / weights.sum()
        return mean + (estimate - mean.detach())


class ProgramSelection:
    """The samplers of a program. `install()` once, and `sampler` for each of its shuffled loaders."""

    def __init__(self) -> None:
        self.samplers: list[ProgramSampler] = []

    def install(self) -> None:
        """Patch torch's loaders and loss functions for the rest of this process."""
        kind: Any = dataloader._BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]
        original = kind.__next__

        def following(iterator: Any) -> Any:
            batch = original(iterator)
            sampler = iterator._index_sampler
            if isinstance(sampler, ProgramSampler):
                sampler.arrived()
            return batch

        kind.__next__ = following
        for name in LOSS_FUNCTIONS:
            setattr(functional, name, self._listening(getattr(functional, name)))

    def _listening(self, original: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The same function; a plain mean over the current batch is made of the losses of its examples."""

        @functools.wraps(original)
        def loss(input: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # torch's name
            sampler = self._sampler_of(input)
            given = {key: value for key, value in kwargs.items() if value is not None}
            is_plain = not args and given.keys() <= _UNDERSTOOD and given.get("reduction", "mean") == "mean"
            if sampler is None or not is_plain:
                return original(input, target, *args, **kwargs)
            each = original(input, target, **{**given, "reduction": "none"})
            counted = torch.ones_like(each)
            if not target.is_floating_point():  # classes, some of which may be there to be left out
                counted = (target != given.get("ignore_index", -100)).to(each.dtype)
            return sampler.mean_loss(_by_example(each) / _by_example(counted).clamp(min=1), each.sum() / counted.sum())

        return loss

    def _sampler_of(self, outputs: Tensor) -> ProgramSampler | None:
        """Whose batch these outputs are, where it is trained on: one output for each example."""
        if not outputs.requires_grad or not outputs.dim():
            return None
        return next((one for one in self.samplers if one.current and len(one.current) == len(outputs)), None)


def _by_example(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1).sum(1)
