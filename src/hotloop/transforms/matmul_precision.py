"""The precision in which fp32 matrix products and convolutions are computed inside."""

from typing import Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase


class MatmulPrecision(TransformBase):
    """Calls torch.set_float32_matmul_precision: "high" is TF32 (CUDA only), "medium" is bf16 (oneDNN on the CPU).

    On the CPU "medium" also covers convolutions and recurrent layers, which have switches of their own there.
    """

    precision: Literal["high", "medium"] = "medium"

    name = "matmul_precision"
    stage = Stage.TORCH
    affects_phases = ("forward", "backward", "evaluation", "optimizer", "other")

    @property
    def roundoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """TF32 keeps 10 bits behind the point, bf16 keeps 7."""
        return 2.0**-11 if self.precision == "high" else 2.0**-9

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "tf32 matmul" if self.precision == "high" else "bf16 matmul"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """TF32 where there is CUDA, bf16 otherwise."""
        return (cls(precision="high"), cls(precision="medium"))

    def check(self, environment: Environment) -> None:
        """TF32 needs a CUDA device; bf16 products on the CPU need its instructions."""
        if environment.has_cuda:
            return
        if self.precision == "high":
            raise NotApplicable("TF32 is a mode of NVIDIA tensor cores, and there is no CUDA device here")
        if not environment.has_bf16:
            raise NotApplicable("this CPU has no bf16 instructions (avx512_bf16, amx_bf16), so oneDNN stays in fp32")

    def apply(self, site: None) -> None:
        """Set the switches for this process."""
        import torch

        torch.set_float32_matmul_precision(self.precision)
        if self.precision == "medium" and not torch.cuda.is_available():
            for part in (torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn, torch.backends.mkldnn.matmul):  # pyright: ignore[reportAttributeAccessIssue]
                part.fp32_precision = "bf16"

    def confirm(self) -> None:
        """The program must not have set another precision itself."""
        import torch

        if torch.get_float32_matmul_precision() != self.precision:
            raise NotApplicable(f"the program set {torch.get_float32_matmul_precision()!r} itself")
