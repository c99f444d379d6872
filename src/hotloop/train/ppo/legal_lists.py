"""Legal actions of a rollout as lists: of thousands of actions, some dozens are legal."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.models.policy.masks import no_legal_action

# T steps, N environments, A actions, L places of a list

_FIRST_WIDTH = 64


class LegalLists:
    """Lists (T, N, L) of legal actions, int32 on a device, -1 after the last one of each.

    L is a power of two, or the number of actions where that is less, and grows where a position has more legal actions;
    it never shrinks, so that a step that is compiled meets few shapes. Bits of sums depend on it: `width` belongs to
    the state of a run.
    """

    def __init__(self, num_steps: int, num_envs: int, num_actions: int, *, device: torch.device) -> None:
        self._most = num_actions
        self.rows = torch.full((num_steps, num_envs, min(_FIRST_WIDTH, num_actions)), -1, dtype=torch.int32).to(device)

    @property
    def width(self) -> int:
        """L."""
        return self.rows.shape[2]

    def put(self, step: int, mask_NA: Tensor) -> Tensor:
        """Keep the legal actions of a step, from a mask on the CPU; its lists (N, L).

        Raises ValueError for rows without a legal action, which it names.
        """
        lists = listed(mask_NA)
        if lists.shape[1] > self.width:
            self.widen(lists.shape[1])
        row = self.rows[step]
        row.fill_(-1)
        row[:, : lists.shape[1]].copy_(lists, non_blocking=True)
        return row

    def widen(self, width: int) -> None:
        """Make room for so many legal actions at least."""
        while self.width < min(width, self._most):
            more = min(self.width, self._most - self.width)
            self.rows = torch.cat([self.rows, self.rows.new_full((*self.rows.shape[:2], more), -1)], dim=2)


def listed(mask_NA: Tensor) -> Tensor:
    """The legal actions of each row of a mask on the CPU, int32 (N, most of a row), -1 after the last one.

    Raises ValueError for rows without a legal action, which it names.
    """
    mask: NDArray[np.bool_] = mask_NA.numpy()
    rows, actions = np.divmod(np.flatnonzero(mask), mask.shape[1])
    counts = np.bincount(rows, minlength=len(mask))
    if not counts.all():
        empty = np.flatnonzero(counts == 0).tolist()
        raise ValueError(no_legal_action(empty, of=len(mask)))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    lists = np.full((len(mask), int(counts.max())), -1, dtype=np.int32)
    lists[rows, places] = actions
    return torch.from_numpy(lists)
