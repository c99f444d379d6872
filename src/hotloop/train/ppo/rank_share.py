"""What one rank of a run of PPO does of it: its part of the steps and batches, and what is kept of its rollout."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hotloop.train.checkpoint import KeptState
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.rank_state import packed, unpacked
from hotloop.train.ranks import Ranks


def share_of(options: PPOOptions, ranks: Ranks) -> PPOOptions:
    """The options of one rank, of which all together do what `options` say.

    Raises ValueError where a batch cannot be divided, or where ranks cannot do what was asked.
    """
    if ranks.size == 1:
        return options
    if options.batch_size % ranks.size or options.batch_size < 2 * ranks.size:
        raise ValueError(
            f"got batch_size={options.batch_size} for {ranks.size} ranks; a batch is divided over all of them, at "
            f"least 2 samples each: give a multiple of {ranks.size}"
        )
    if options.compile == "step":
        raise ValueError(
            f"got compile='step' for {ranks.size} ranks, which exchange gradients within a step; leave it out, or give "
            "'default'"
        )
    if options.value_loss == "outcome":
        raise ValueError(
            f"got value_loss='outcome' for {ranks.size} ranks; gradients are exchanged for what the network's forward "
            "gives alone, and not for its heads: give 'return'"
        )
    return replace(
        options, total_steps=max(1, options.total_steps // ranks.size), batch_size=options.batch_size // ranks.size
    )


class RankStates:
    """A KeptState of all ranks: what `kept` and torch's generator of each one are. All ask for it together."""

    def __init__(self, kept: KeptState, ranks: Ranks, device: torch.device) -> None:
        self._kept, self._ranks, self._device = kept, ranks, device

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What every rank keeps, packed into one tensor each."""
        data, tensors = self._kept.state()
        own = packed(data, {**tensors, "random": torch.get_rng_state()}).to(self._device)
        longest = int(max(self._ranks.gathered(torch.tensor([len(own)], device=self._device))))
        padded = torch.cat([own, own.new_zeros(longest - len(own))])
        return {"ranks": self._ranks.size}, {str(rank): part for rank, part in enumerate(self._ranks.gathered(padded))}

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave, with as many ranks."""
        own, own_tensors = unpacked(tensors[str(self._ranks.rank)])
        torch.set_rng_state(own_tensors.pop("random"))
        self._kept.restore_state(own, own_tensors)
