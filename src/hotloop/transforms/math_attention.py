"""Attention as two matrix products and a softmax, in place of one flash kernel."""

from collections.abc import Callable
from typing import Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase


class _Calls:
    """Whether the program of this process has called the function."""

    seen = False


_calls = _Calls()


class MathAttention(TransformBase):
    """Lets scaled_dot_product_attention run on the machine's matrix products; the scores take memory of size T * T.

    The flash kernel of the CPU multiplies without oneDNN, which costs more than it saves where sequences are short.
    With `low_precision`, bf16 and fp16 inputs are multiplied as they are and their scores rounded to them; without, all
    is computed in fp32.
    """

    low_precision: bool = True

    name = "math_attention"
    stage = Stage.TORCH
    affects_phases = ("forward", "backward", "evaluation")

    @property
    def roundoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of bf16 scores, or of another order of fp32 sums."""
        return 2.0**-9 if self.low_precision else 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "math attention" if self.low_precision else "math attention fp32"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """On the CPU, as the inputs come; the flash kernels of CUDA use its matrix units."""
        return () if environment.has_cuda else (cls(),)

    def apply(self, site: None) -> None:
        """Set torch's switches for this process."""
        import torch
        from torch.nn import functional

        _calls.seen = False
        switches: Any = torch.backends.cuda  # they stand for the CPU as well
        switches.enable_math_sdp(True)
        for enable in (switches.enable_flash_sdp, switches.enable_mem_efficient_sdp, switches.enable_cudnn_sdp):
            enable(False)
        switches.allow_fp16_bf16_reduction_math_sdp(self.low_precision)
        functional.scaled_dot_product_attention = _noting(functional.scaled_dot_product_attention)

    def confirm(self) -> None:
        """The program must have called it, and must not have chosen a kernel itself."""
        import torch

        if not _calls.seen:
            raise NotApplicable("the program never calls scaled_dot_product_attention")
        if torch.backends.cuda.flash_sdp_enabled():
            raise NotApplicable("the program itself chooses the kernels of scaled_dot_product_attention")


def _noting(attention: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        _calls.seen = True
        return attention(*args, **kwargs)

    return noted
