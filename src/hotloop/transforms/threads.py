"""How many threads one operator may use on the CPU."""

from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Threads:
    """Calls torch.set_num_threads before the program starts. Sums are added in another order."""

    num: Annotated[int, Field(ge=1)]

    name: ClassVar[str] = "threads"
    stage: ClassVar[Stage] = Stage.TORCH
    promise: ClassVar[Promise] = Promise.CLOSE
    roundoff: ClassVar[float] = 2.0**-24

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """One thread, half the cores, all cores; less what torch does by itself."""
        cores = len(environment.cores)
        return tuple(cls(num=num) for num in sorted({1, max(1, cores // 2), cores} - {environment.threads}))

    def check(self, environment: Environment) -> None:
        """More threads than cores never help, and the number must differ from what runs anyhow."""
        if self.num > len(environment.cores):
            raise NotApplicable(f"{self.num} threads asked for and {len(environment.cores)} cores allowed")
        if self.num == environment.threads:
            raise NotApplicable(f"torch already uses {self.num} threads here")

    def apply(self, site: None) -> None:
        """Set the number for this process."""
        import torch

        torch.set_num_threads(self.num)

    def confirm(self) -> None:
        """The program must not have set another number itself."""
        import torch

        if torch.get_num_threads() != self.num:
            raise NotApplicable(f"the program set {torch.get_num_threads()} threads itself")
