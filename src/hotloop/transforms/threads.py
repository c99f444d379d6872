"""How many threads one operator may use on the CPU."""

from typing import Annotated, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase


class Threads(TransformBase):
    """Calls torch.set_num_threads before the program starts. Sums are added in another order."""

    num: Annotated[int, AtLeast(1)]

    name = "threads"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "1 thread" if self.num == 1 else f"{self.num} threads"

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
