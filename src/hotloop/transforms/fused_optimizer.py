"""The optimizer's update in one kernel (fused), or one kernel for each operation over all parameters (foreach)."""

from typing import Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import OptimizerSite, Stage, TransformBase


class FusedOptimizer(TransformBase):
    """Builds the program's own optimizers with fused=True or foreach=True. The same update, rounded elsewhere."""

    implementation: Literal["fused", "foreach"] = "fused"

    name = "fused_optimizer"
    stage = Stage.OPTIMIZER
    affects_phases = ("optimizer",)
    changes_settings = ("fused", "foreach")
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return self.implementation

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Fused, then foreach, which is torch's own default on CUDA."""
        return (cls(implementation="fused"),) if environment.has_cuda else (cls(), cls(implementation="foreach"))

    def apply(self, site: OptimizerSite) -> None:
        """Set the flag of one optimizer before it is built."""
        if self.implementation not in site.defaults:
            raise NotApplicable(f"torch has no {self.implementation} {site.kind.__name__}")
        asked = [flag for flag in ("fused", self.implementation) if site.defaults.get(flag)]
        if asked:
            raise NotApplicable(f"the program itself asks for a {asked[0]} {site.kind.__name__}")
        if site.defaults.get("differentiable"):
            raise NotApplicable(f"a differentiable {site.kind.__name__} cannot be {self.implementation}")
        site.defaults.update(
            {flag: flag == self.implementation for flag in ("fused", "foreach") if flag in site.defaults}
        )
