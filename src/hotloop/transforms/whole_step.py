"""Forward, loss, backward, clipping and optimizer of a recipe captured as one graph and compiled."""

from typing import Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase
from hotloop.workload import Job


class WholeStep(TransformBase):
    """One compiled graph for the whole gradient step; with `dtype`, forward and loss run under autocast to it."""

    dtype: Literal["bfloat16"] | None = None

    name = "whole_step"
    stage = Stage.STEP
    affects_phases = ("forward", "backward", "optimizer", "other")
    compiles = True

    @property
    def roundoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of fp32, or of bf16 under autocast."""
        return 2.0**-24 if self.dtype is None else 2.0**-9

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "whole step" if self.dtype is None else "whole step bf16"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Both precisions, where there is a compiler."""
        return (cls(), cls(dtype="bfloat16")) if environment.compiler else ()

    def check(self, environment: Environment) -> None:
        """Raise NotApplicable where inductor could compile nothing."""
        if not environment.compiler:
            raise NotApplicable(
                "no C++ compiler was found on this machine, and inductor compiles with one; install g++ or clang"
            )

    def apply(self, site: Job) -> None:
        """Let the job make captured steps. Raises NotApplicable for what cannot be captured."""
        import torch

        from hotloop.compile import capture
        from hotloop.compile.accumulation import AccumulatedStep

        if isinstance(site.step, AccumulatedStep):
            raise NotApplicable("the plan makes its steps from microbatches; drop 'gradient_accumulation' or this")
        site.step = capture.CapturedStep(site, dtype=None if self.dtype is None else torch.bfloat16)

    def confirm(self) -> None:
        """Raise NotApplicable where no captured step has run in this process."""
        from hotloop.compile.capture import tally

        if not tally.steps:
            raise NotApplicable(
                "no captured step has run in this process; whole_step acts on recipes whose job.step is called: "
                "train through hotloop's loop, or drop 'whole_step'"
            )
