"""How OpenMP threads wait for work: asleep (passive) or spinning (active)."""

import os
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OpenMP:
    """Sets OMP_WAIT_POLICY. Passive waiting avoids the collapse beside other load; active is faster when alone."""

    wait_policy: Literal["passive", "active"] = "passive"

    name: ClassVar[str] = "openmp"
    stage: ClassVar[Stage] = Stage.LAUNCH
    promise: ClassVar[Promise] = Promise.EXACT
    roundoff: ClassVar[float] = 0.0

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Both policies: torch's default spins for a while and then sleeps."""
        return (cls(wait_policy="active"), cls(wait_policy="passive"))

    def check(self, environment: Environment) -> None:
        """There must be more than one thread to wait, and no policy set by the user."""
        if environment.threads < 2:
            raise NotApplicable("one thread waits for nobody")
        if "OMP_WAIT_POLICY" in environment.variables:
            raise NotApplicable(f"OMP_WAIT_POLICY={environment.variables['OMP_WAIT_POLICY']} is already set")

    def apply(self, site: dict[str, str]) -> None:
        """Set the environment variable of the process."""
        site["OMP_WAIT_POLICY"] = self.wait_policy.upper()

    def confirm(self) -> None:
        """The variable must have reached the process."""
        if os.environ.get("OMP_WAIT_POLICY", "").lower() != self.wait_policy:
            raise NotApplicable("OMP_WAIT_POLICY did not reach the process")
