"""A transform that is all talk."""

from typing import Any

from hotloop.transform import Stage, TransformBase


class Nothing(TransformBase):
    """Says that it applied, and changed nothing."""

    name = "nothing"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: Any) -> None:
        """Do nothing."""
