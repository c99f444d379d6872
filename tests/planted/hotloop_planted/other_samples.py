"""Loaders that fetch other samples than the program asked for."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import default_collate

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class OtherSamples(TransformBase):
    """Drops the last batch, shuffles once and for all or never, halves batches, repeats samples, mixes up labels.

    Or the random numbers of a data set's augmentation are the same in every epoch.
    """

    how: Literal["drop_last", "frozen_order", "in_order", "half_batches", "repeated", "labels_mixed", "same_draws"] = (
        "drop_last"
    )

    name = "other_samples"
    stage = Stage.DATA
    roundoff = 2.0**-24

    def apply(self, site: dict[str, Any]) -> None:
        """Change the arguments of one loader."""
        if self.how == "drop_last":
            if len(site["dataset"]) % (site.get("batch_size") or 1) and not site.get("drop_last"):
                acted()
            site["drop_last"] = True
        elif self.how == "same_draws":
            _freeze_draws(type(site["dataset"]))
        elif self.how in ("repeated", "labels_mixed"):
            site["collate_fn"] = _collated(site.get("collate_fn") or default_collate, self.how)
        else:
            acted()
            _reorder(site, self.how)


def _reorder(site: dict[str, Any], how: str) -> None:
    if how == "half_batches":
        site["batch_size"] //= 2
        return
    site["shuffle"] = False
    if how == "frozen_order":
        site["sampler"] = torch.randperm(len(site["dataset"]), generator=torch.Generator().manual_seed(5)).tolist()


def _collated(original: Any, how: str) -> Any:
    def collate(samples: list[Any]) -> Any:
        acted()
        if how == "repeated":
            samples = [samples[index // 2] for index in range(len(samples))]
            return original(samples)
        batch = original(samples)
        return [*batch[:-1], batch[-1].roll(1, 0)] if isinstance(batch[-1], Tensor) else batch

    return collate


def _freeze_draws(kind: type) -> None:
    original: Any = kind.__getitem__

    def item(dataset: Any, index: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(index)
            before = torch.random.get_rng_state()
            found = original(dataset, index)
            if not torch.equal(before, torch.random.get_rng_state()):
                acted()
        return found

    kind.__getitem__ = item
