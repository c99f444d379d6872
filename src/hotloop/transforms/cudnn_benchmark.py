"""Lets cuDNN time its convolution algorithms and keep the fastest for each shape."""

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase


class CudnnBenchmark(TransformBase):
    """Sets torch.backends.cudnn.benchmark. Another algorithm adds in another order."""

    name = "cudnn_benchmark"
    stage = Stage.TORCH
    affects_phases = ("forward", "backward", "evaluation")
    roundoff = 2.0**-24

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
