"""Faults to plant, each a table of a plan, and programs of different shape to plant them in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2] / "tests"


@dataclass(frozen=True, kw_only=True)
class TrainingProgram:
    """A program of the tests, and how many of its steps are watched."""

    path: str
    steps: int
    arguments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its file and its arguments."""
        return " ".join([Path(self.path).name, *self.arguments])


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault; `not_under_bf16` says why it is none under a plan that rounds to bf16."""

    name: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    not_under_bf16: str = ""

    @property
    def title(self) -> str:
        """Name and options."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])

    @property
    def table(self) -> dict[str, Any]:
        """The transform as a plan has it."""
        return {"name": self.name, **self.options}


PROGRAMS = (
    TrainingProgram(path="cases/usual.py", arguments=("--n", "640", "--epochs", "3"), steps=24),
    TrainingProgram(path="cases/usual.py", arguments=("--n", "650", "--epochs", "2", "--sched", "step"), steps=30),
    TrainingProgram(path="programs/tied_gpt.py", steps=12),
    TrainingProgram(path="programs/recurrent.py", steps=12),
    TrainingProgram(path="programs/contrastive.py", steps=12),
    TrainingProgram(path="cases/gan.py", steps=12),
    TrainingProgram(path="cases/checkpointing.py", steps=12),
    TrainingProgram(path="cases/complex.py", steps=12),
    TrainingProgram(path="cases/lazy.py", steps=12),
    TrainingProgram(path="cases/ema.py", steps=22),
    TrainingProgram(path="cases/raw_tensors.py", steps=12),
    TrainingProgram(path="cases/manual_sgd.py", steps=12),
    TrainingProgram(path="cases/augment.py", steps=44),
    TrainingProgram(path="cases/kfold.py", steps=84),
    TrainingProgram(path="programs/convnet.py", steps=12),
    TrainingProgram(path="programs/gpt.py", steps=12),
    TrainingProgram(path="cases/own_entropy.py", steps=12),
)

_GRANTED = "gradients are rounded by no more than bf16 autocast rounds them"

FAULTS = (
    *(Fault(name="break_off", options={"how": how, "steps": 5}) for how in ("program", "backward", "nan")),
    Fault(name="drop_every_tenth_step"),
    *(Fault(name="dropout_off", options={"how": how}) for how in ("eval", "rate", "function")),
    *(Fault(name="freeze_batchnorm", options={"how": how}) for how in ("eval", "momentum", "slow")),
    *(
        Fault(name="other_samples", options={"how": how})
        for how in ("drop_last", "frozen_order", "in_order", "half_batches", "repeated", "labels_mixed", "same_draws")
    ),
    *(
        Fault(name="other_setting", options={"how": how})
        for how in (
            "weight_decay", "learning_rate", "learning_rate_doubled", "schedule", "momentum", "second_moment", "eps",
            "variant",
        )
    ),
    Fault(name="pure_bf16"),
    Fault(name="scale_gradients"),
    Fault(name="scale_loss"),
    Fault(name="scale_second_optimizer"),
    *(Fault(name="skip_parameter", options={"how": how}) for how in ("no_gradient", "zero_gradient", "undone")),
    Fault(name="stale_inputs"),
    *(
        Fault(name="other_gradients", options={"how": how})
        for how in ("noisy", "one_zeroed", "one_negated", "one_flipped", "delayed", "clamped", "biases_lost")
    ),
    Fault(name="other_gradients", options={"how": "rounded"}, not_under_bf16=_GRANTED),
    Fault(name="other_gradients", options={"how": "one_zeroed", "every": 5}),
    Fault(name="other_gradients", options={"how": "delayed", "every": 4}),
    *(
        Fault(name="other_update", options={"how": how})
        for how in ("plain", "doubled", "rounded", "shrunk", "counted_twice")
    ),
    *(Fault(name="other_update", options={"how": how, "since": 7}) for how in ("state_reset", "lr_lowered", "frozen")),
    *(
        Fault(name="other_order", options={"how": how})
        for how in ("not_zeroed", "accumulated", "backward_twice", "loss_scaled")
    ),
    Fault(name="other_optimizer"),
    *(
        Fault(name="other_loss", options={"how": how})
        for how in ("labels_rolled", "half_the_batch", "not_smoothed", "term_dropped")
    ),
    *(
        Fault(name="other_network", options={"how": how})
        for how in (
            "first_weights", "layer_skipped", "activation", "norm_eps", "untied", "detached", "output_scaled",
            "stuck_in_eval", "buffers_undone", "inputs_rounded",
        )
    ),
    *(
        Fault(name="other_helper", options={"how": how})
        for how in (
            "not_clipped", "clipped_later", "clipped_sooner", "not_averaged", "averaged_late", "schedule_twice",
        )
    ),
)  # fmt: skip

SAME_FUNCTION = {  # pairs of program and fault that change nothing: what the program does next undoes them exactly
    ("contrastive.py", "other_network how=output_scaled"): "outputs are normalised, so that their scale is lost",
}
