"""How OpenMP threads wait for work: asleep (passive) or spinning (active)."""

import os
from typing import Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase


class OpenMP(TransformBase):
    """Sets OMP_WAIT_POLICY. Passive waiting avoids the collapse beside other load; active is faster when alone."""

    wait_policy: Literal["passive", "active"] = "passive"

    name = "openmp"
    stage = Stage.LAUNCH

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"openmp {self.wait_policy}"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Both policies: torch's default spins for a while and then sleeps."""
        return (cls(wait_policy="active"), cls(wait_policy="passive"))

    def check(self, environment: Environment) -> None:
        """There must be more than one thread to wait, and no policy set by the user."""
        if environment.threads < 2:
            raise NotApplicable("there is one thread, which never waits for another")
        if "OMP_WAIT_POLICY" in environment.variables:
            raise NotApplicable(f"OMP_WAIT_POLICY={environment.variables['OMP_WAIT_POLICY']} is already set")

    def apply(self, site: dict[str, str]) -> None:
        """Set the environment variable of the process."""
        site["OMP_WAIT_POLICY"] = self.wait_policy.upper()

    def confirm(self) -> None:
        """The variable must have reached the process."""
        if os.environ.get("OMP_WAIT_POLICY", "").lower() != self.wait_policy:
            raise NotApplicable("OMP_WAIT_POLICY did not reach the process")
