"""Some backward passes of a program are left out, and its optimizer steps by predicted gradients."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import OptimizerSite, Promise, Stage, TransformBase

if TYPE_CHECKING:
    from hotloop.train.phases.program_phases import ProgramPhases


class Phases(TransformBase):
    """`full_steps` true gradients, then `predict_steps` predicted ones with a true one each `correct_every` (0: none).

    With `guard` predictions that point elsewhere than the true gradient end for a while. On batches drawn at random
    nothing was gained so far over a tuned learning rate; what it claims is time to a target loss, never time per step.
    """

    predictor: Literal["least_squares", "momentum", "hold", "coast"] = "least_squares"
    full_steps: Annotated[int, AtLeast(1)] = 5
    predict_steps: Annotated[int, AtLeast(1)] = 20
    correct_every: Annotated[int, AtLeast(0)] = 5
    guard: bool = True

    name = "phases"
    stage = Stage.OPTIMIZER

    def __post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed, and for a guard over zeros."""
        super().__post_init__()
        if self.guard and self.predictor == "coast":
            raise ValueError("guard: coast predicts zeros, which point nowhere; give guard = false")

    @property
    def promise(self) -> Promise:
        """Another training that should learn the same."""
        return Promise.STATISTICAL

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        names = {"least_squares": "line", "momentum": "slope"}
        schedule = f"{self.full_steps}/{self.predict_steps}/{self.correct_every}"
        return f"{names.get(self.predictor, self.predictor)} {schedule}{'' if self.guard else ' free'}"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The fitted line under its guard, and the last gradient taken twice."""
        return cls(), cls(predictor="hold", full_steps=1, predict_steps=1, correct_every=0, guard=False)

    def apply(self, site: OptimizerSite) -> None:
        """Follow the program's steps from its first optimizer on."""
        if site.kind.__name__ == "LBFGS":
            raise NotApplicable("LBFGS differentiates as often as its line search asks")
        if installed.phases is None:
            from hotloop.train.phases.config import PhaseConfig
            from hotloop.train.phases.program_phases import ProgramPhases

            config = PhaseConfig(
                full_steps=self.full_steps,
                predict_steps=self.predict_steps,
                correct_every=self.correct_every or None,
                adaptive_phases=False,
                min_correlation=0.8 if self.guard else None,
            )
            installed.phases = ProgramPhases(config, predictor=self.predictor, guard=self.guard)
            installed.phases.install()

    def confirm(self) -> None:
        """Raise NotApplicable where the program trains in a way that cannot be predicted, or has not stepped yet."""
        phases = installed.phases
        if phases is not None and phases.refusal:
            raise NotApplicable(phases.refusal)
        if phases is None or phases.trainer is None:
            raise NotApplicable("no optimizer has stepped")

    def figures(self) -> Mapping[str, float]:
        """Steps for each backward pass, predicted steps, and how often the guard went back to true gradients."""
        if installed.phases is None or installed.phases.trainer is None:
            return {}
        stats = installed.phases.trainer.get_stats()
        found = {
            "backward_ratio": stats.backward_ratio,
            "predicted_steps": float(stats.predict_steps),
            "suspensions": float(stats.num_suspensions),
        }
        cosine = stats.mean_correlation
        return found if cosine is None else {**found, "mean_cosine": cosine}


class _Installed:
    """The phases of the program of this process."""

    phases: "ProgramPhases | None" = None


installed = _Installed()
