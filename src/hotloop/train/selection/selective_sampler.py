"""A batch sampler that turns to the hard examples once most are easy."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.utils.data import Sampler

from hotloop.train.selection.easy_share_gate import EasyShareGate
from hotloop.train.selection.loss_table import LossTable, is_easy

Selection = Literal["stale", "threshold", "pool"]


class SelectiveSampler(Sampler[list[int]]):
    """`DataLoader(dataset, batch_sampler=SelectiveSampler(len(dataset), batch_size=64))`.

    While the gate is shut each pass is a plain permutation of all examples. While it is open:
    "stale" leaves most easy examples out of the pass: by their last known loss, a share `keep` of them stays, so that
    each is seen again. No extra forward.
    "threshold" takes a plain batch and trains on those over `gate.threshold` times its mean loss (`select`).
    "pool" takes `pool` batches at once and trains on the share `keep` of them with the highest losses (`select`).
    The gate is asked at the beginning of each pass. `gate=None` selects always. The same seed and losses give the same
    batches. The mean loss over selected examples is not that of the data: compare on a held-out set.
    """

    def __init__(
        self,
        num_examples: int,
        *,
        batch_size: int,
        mode: Selection = "stale",
        gate: EasyShareGate | None = EasyShareGate(),  # noqa: B008  # frozen
        keep: float | None = None,
        pool: int = 2,
        seed: int = 0,
    ) -> None:
        if mode not in get_args(Selection):
            raise ValueError(f"mode: got {mode!r}; allowed are {', '.join(get_args(Selection))}")
        keep = keep if keep is not None else {"stale": 0.1, "threshold": 1.0, "pool": 0.25}[mode]
        if not 0 < keep <= 1:
            raise ValueError(f"keep: got {keep}; a share above 0 and up to 1 is allowed")
        if batch_size < 1 or pool < 1:
            raise ValueError(f"got batch_size {batch_size} and pool {pool}; each must be at least 1")
        self._table = LossTable(num_examples)
        self._num_examples, self._batch_size = num_examples, batch_size
        self._mode: Selection = mode
        self._gate, self._keep, self._pool, self._seed = gate, keep, pool, seed
        self._threshold = (gate or EasyShareGate()).threshold
        self._num_passes = 0
        self._is_rare: Tensor | None = None
        self.is_active = False

    def __len__(self) -> int:
        """Batches of a pass over all examples; a pass with selection has fewer."""
        return math.ceil(self._num_examples / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        self.is_active = self._gate is None or self._gate.is_open(self._table.losses)
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._num_passes)
        self._num_passes += 1
        indices = torch.randperm(self._num_examples, generator=generator)
        size = self._batch_size
        self._is_rare = None
        if self.is_active and self._mode == "stale":
            indices = self._without_easy(indices, generator)
        elif self.is_active and self._mode == "pool":
            size *= self._pool
        yield from (part.tolist() for part in indices.split(size))

    def record(self, indices: Sequence[int] | Tensor, losses: Tensor) -> None:
        """Keep the losses of a batch, one an example, for the gate and for "stale"; nothing is read from the device."""
        self._table.record(indices, losses)

    def weights(self, indices: Sequence[int]) -> Tensor:
        """How many examples of the data each one stands for in the pass under way, on the CPU: 1, or 1 / `keep`.

        The mean loss of "stale" batches under these weights estimates that of the data.
        """
        if self._is_rare is None:
            return torch.ones(len(indices))
        return torch.where(self._is_rare[torch.as_tensor(indices)], 1 / self._keep, 1.0)

    @property
    def selects_in_batch(self) -> bool:
        """Whether `select` leaves examples out, so that a batch needs a forward without a graph first."""
        return self.is_active and self._mode != "stale"

    def select(self, losses: Tensor) -> Tensor:
        """Positions in the batch to train on, in their order; at least one.

        "threshold" must read from the device how many there are.
        """
        if not self.selects_in_batch:
            return torch.arange(len(losses), device=losses.device)
        if self._mode == "pool":
            return losses.topk(max(1, round(self._keep * len(losses)))).indices.sort().values
        chosen = (~is_easy(losses, threshold=self._threshold)).nonzero().squeeze(1)
        return chosen if len(chosen) else losses.argmax(keepdim=True).view(1)

    def reduce(self, selected: Tensor, *, num_rows: int) -> Tensor:
        """The loss of a batch of `num_rows`, from those of its selected rows."""
        return selected.sum() / num_rows if self._mode == "threshold" else selected.mean()

    def state_dict(self) -> dict[str, Any]:
        """The known losses and the number of passes that were begun; go on at the beginning of a pass."""
        return {"losses": self._table.losses.clone(), "num_passes": self._num_passes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`. Raises ValueError for another number of examples."""
        self._table.load(state["losses"])
        self._num_passes = state["num_passes"]

    def _without_easy(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        self._is_rare = is_easy(self._table.losses, threshold=self._threshold)
        easy = self._is_rare[indices]
        is_kept = ~easy | (torch.rand(len(indices), generator=generator) < self._keep)
        return indices[is_kept] if is_kept.any() else indices[: self._batch_size]
