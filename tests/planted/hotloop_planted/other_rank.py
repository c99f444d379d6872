"""A fault in one rank alone, which the first rank shows nothing of."""

import os

from hotloop.transform import OptimizerSite, Stage, TransformBase
from hotloop_planted.acted import acted


class OtherRank(TransformBase):
    """Takes a slightly larger learning rate in the second rank."""

    name = "other_rank"
    stage = Stage.OPTIMIZER
    roundoff = 2.0**-24

    def apply(self, site: OptimizerSite) -> None:
        """Change the defaults of one optimizer."""
        if os.environ.get("RANK") == "1":
            site.defaults["lr"] *= 1.01
            acted()
