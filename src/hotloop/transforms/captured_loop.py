"""The statements of an unmodified script's step, from the model's call to the optimizer's step, as one graph."""

from typing import TYPE_CHECKING, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import ProgramSite, Stage, TransformBase

if TYPE_CHECKING:
    from hotloop.compile.loop.load import LoopLoader


class CapturedLoop(TransformBase):
    """Finds the step in the source as it is loaded, captures it with guards, and compiles it with inductor.

    What cannot be inside of a graph stays where it is; where a guard fails the program's own statements run. Random
    numbers are drawn as the plain program draws them. Each graph is compared with the plain step before it is used.
    """

    name = "captured_loop"
    stage = Stage.PROGRAM
    affects_phases = ("forward", "backward", "optimizer", "other")
    compiles = True
    warmup_steps = 8  # two plain, then two of each graph beside the plain step; learning rates may need another graph
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "captured loop"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one, where there is a compiler."""
        return (cls(),) if environment.compiler else ()

    def check(self, environment: Environment) -> None:
        """Raise NotApplicable where inductor could compile nothing."""
        if not environment.compiler:
            raise NotApplicable(
                "no C++ compiler was found on this machine, and inductor compiles with one; install g++ or clang"
            )

    def apply(self, site: ProgramSite) -> None:
        """Have the program loaded with its regions cut out."""
        from hotloop.compile.loop.load import LoopLoader

        site.loader = _Started.loader = LoopLoader()

    def confirm(self) -> None:
        """Raise NotApplicable, with lines and reasons, where no step of this process has run as a graph."""
        loader = _Started.loader
        if loader is None or not loader.regions.graph_steps:
            raise NotApplicable(_why(loader))


class _Started:
    loader: "LoopLoader | None" = None


def _why(loader: "LoopLoader | None") -> str:
    refusals = [] if loader is None else loader.regions.refusals
    if refusals:
        return "no step has run as a graph: " + "; ".join(map(str, refusals))
    if loader is None or not loader.regions.all:
        return "no statements that call a model, differentiate and step an optimizer were found in the program's source"
    return "no step has run as a graph yet: guards have held in none"
