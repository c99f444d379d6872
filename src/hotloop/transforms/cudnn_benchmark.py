"""Lets cuDNN time its convolution algorithms and keep the fastest for each shape."""

from typing import ClassVar, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CudnnBenchmark:
    """Sets torch.backends.cudnn.benchmark. Another algorithm adds in another order."""

    name: ClassVar[str] = "cudnn_benchmark"
    stage: ClassVar[Stage] = Stage.TORCH
    affects_phases: ClassVar[tuple[str, ...]] = ("forward", "backward", "evaluation")
    promise: ClassVar[Promise] = Promise.CLOSE
    roundoff: ClassVar[float] = 2.0**-24

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one there is."""
        return (cls(),)

    def check(self, environment: Environment) -> None:
        """cuDNN runs on CUDA devices only."""
        if not environment.has_cuda:
            raise NotApplicable("cuDNN runs on NVIDIA GPUs, and there is no CUDA device here")

    def apply(self, site: None) -> None:
        """Set the switch for this process."""
        import torch

        torch.backends.cudnn.benchmark = True

    def confirm(self) -> None:
        """The program must not have switched it off again."""
        import torch

        if not torch.backends.cudnn.benchmark:
            raise NotApplicable("the program switched cudnn.benchmark off itself")
