"""Loaders that fetch other samples than the program asked for."""

from typing import Any, Literal

import torch

from hotloop.transform import Stage, TransformBase


class OtherSamples(TransformBase):
    """Drops the last batch, or shuffles once and for all."""

    how: Literal["drop_last", "frozen_order"] = "drop_last"

    name = "other_samples"
    stage = Stage.DATA
    roundoff = 2.0**-24

    def apply(self, site: dict[str, Any]) -> None:
        """Change the arguments of one loader."""
        if self.how == "drop_last":
            site["drop_last"] = True
        else:
            site["shuffle"] = False
            site["sampler"] = torch.randperm(len(site["dataset"]), generator=torch.Generator().manual_seed(5)).tolist()
