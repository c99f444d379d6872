"""One update from several microbatches of each batch: less memory, and sometimes more samples a second."""

from typing import TYPE_CHECKING, Annotated, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase
from hotloop.workload import Job

if TYPE_CHECKING:
    from hotloop.compile.accumulation import AccumulatedStep


class GradientAccumulation(TransformBase):
    """Cuts each batch of a recipe into `microbatches` parts and adds up their gradients; the global batch stays.

    Activations of one part are alive at a time. The mathematics are those of the whole batch where the loss is a mean
    over samples that do not see each other; batch norm in train mode, sums, contrastive losses, counts on the device,
    hooks on gradients and jobs with steps of their own are refused with the reason. Scripts make their steps
    themselves, and are out of its reach.
    """

    microbatches: Annotated[int, AtLeast(2)] = 2

    name = "gradient_accumulation"
    stage = Stage.STEP
    affects_phases = ("forward", "backward")
    saves_memory = True
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"{self.microbatches} microbatches"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Halves, quarters and eighths."""
        return cls(), cls(microbatches=4), cls(microbatches=8)

    def apply(self, site: Job) -> None:
        """Let the job make its steps from microbatches. Raises NotApplicable for what cannot be cut."""
        from hotloop.compile.accumulation import AccumulatedStep

        site.step = AccumulatedStep(site, microbatches=self.microbatches)
        applied.append(site.step)

    def confirm(self) -> None:
        """A step must have been made of several parts."""
        if not any(step.calls for step in applied):
            raise NotApplicable(
                "no step was made of several microbatches: no batch has two samples, or job.step is never called; "
                "train through hotloop's loop, or drop 'gradient_accumulation'"
            )


applied: list["AccumulatedStep"] = []  # of this process
