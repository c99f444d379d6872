"""How PPO collects steps and learns from them; checked when the options are made, nothing is clamped."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hotloop.compile.precision import HalfPrecision
from hotloop.train.flat.optimizer import Kind
from hotloop.train.flat.step import Nonfinite
from hotloop.train.options import CHECKED, Count, Limit, NotNegative, Positive, UpdateOptions
from hotloop.train.ppo.schedules import LearningRates, LrSchedule

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class OpponentOptions:
    """In a game of two: which shares of the environments are against a random mover, and against an earlier self.

    In the rest the policy plays both sides. The policy is kept every `every` updates, the last `kept` times; one of
    those is drawn for each rollout. Until there is one, the policy plays itself.
    """

    random: Fraction = 0.0
    earlier: Fraction = 0.0
    every: Count = 20
    kept: Count = 4

    def __post_init__(self) -> None:
        if self.random + self.earlier > 1.0:
            raise ValueError(f"got random={self.random} and earlier={self.earlier}; shares of one whole: lower them")


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PPOOptions:
    """Everything about a run of PPO but the model and the environment.

    An update is a rollout of `num_steps` steps in each environment and `passes` over it in batches of `batch_size`;
    there are as many as fit into `total_steps`, at least one. The learning rate follows `LearningRates`; the `..._end`
    values are reached linearly in the last update. `target_kl` ends the passes of an update after the one whose mean
    divergence from the rollout exceeds it; that reads one number a pass. `value_clip` keeps values within `clip` of
    those of the rollout.

    With `value_loss` "outcome" the network learns how games end (won, drawn or lost), by cross-entropy over games that
    ended within the rollout, and `score_coef` weighs the squared error of its scores; that takes a game of two, and a
    network with `heads`, such as se_resnet.

    `amp` is the precision of the model in rollouts and updates alike, `memory_format` that of its weights. With
    `old_log_probs` "recomputed" the log-probabilities of the rollout are computed again in the batches of the first
    pass, so that its first ratios are exactly 1; with "rollout" they may differ by rounding, as batches of other sizes
    do. Batch norm uses its running statistics in rollouts and updates; after each update they move by
    `statistics_momentum` towards those of the rollout. `compile` compiles the model in place, with that mode;
    "step" compiles the network and the draw of a rollout's step as one graph, and the whole update of a batch (forward,
    loss, backward, clipping, optimizer) as another, where nonfinite="stop" then ends the run after the update.
    """

    total_steps: Count = 500_000
    num_steps: Count = 128
    batch_size: Annotated[int, Field(ge=2)] = 64
    passes: Count = 10
    gamma: Fraction = 0.99
    gae_lambda: Fraction = 0.95
    clip: Positive = 0.2
    clip_end: NotNegative | None = None
    value_coef: NotNegative = 0.5
    value_clip: bool = False
    value_loss: Literal["return", "outcome"] = "return"
    score_coef: NotNegative = 0.0
    entropy_coef: NotNegative = 0.01
    entropy_coef_end: NotNegative | None = None
    normalize_advantages: bool = True
    target_kl: Positive | None = None
    lr: Positive = 3e-4
    lr_schedule: LrSchedule = "constant"
    lr_final_fraction: Fraction | None = None
    lr_gamma: Fraction | None = None
    lr_step_size: Count = 1000
    optimizer: Kind = "adam"
    weight_decay: NotNegative = 0.0
    clip_norm: Limit = 0.5
    amp: HalfPrecision | None = None
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    old_log_probs: Literal["rollout", "recomputed"] = "rollout"
    statistics_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    nonfinite: Nonfinite = "stop"
    opponents: OpponentOptions | None = None
    compile: Literal["step", "default", "reduce-overhead", "max-autotune"] | None = None
    threads: Count | None = None

    def __post_init__(self) -> None:
        if self.value_loss == "outcome":
            if self.value_clip:
                raise ValueError("got value_clip with value_loss='outcome', which has no value to clip: leave one out")
            if self.compile not in (None, "step"):
                raise ValueError(
                    f"got compile={self.compile!r} with value_loss='outcome': the heads of the network would run "
                    "uncompiled in updates; give compile='step', or None"
                )
        elif self.score_coef:
            raise ValueError("got score_coef with value_loss='return'; scores are learned with value_loss='outcome'")

    def num_updates(self, num_envs: int) -> int:
        """How many updates there are."""
        return max(1, self.total_steps // (self.num_steps * num_envs))

    def updates(self, num_envs: int) -> "PPOUpdates":
        """How parameters are updated; an epoch of the loop is an update here."""
        return PPOUpdates(
            epochs=self.num_updates(num_envs),
            lr=self.lr,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            amp=self.amp,
            nonfinite=self.nonfinite,
            lr_schedule=self.lr_schedule,
            lr_final_fraction=self.lr_final_fraction,
            lr_gamma=self.lr_gamma,
            lr_step_size=self.lr_step_size,
        )


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PPOUpdates(UpdateOptions):
    """Updates whose learning rate follows a schedule of PPO."""

    lr_schedule: LrSchedule = "constant"
    lr_final_fraction: Fraction | None = None
    lr_gamma: Fraction | None = None
    lr_step_size: Count = 1000

    @property
    def reports_norm(self) -> bool:
        """The 2-norm of the gradient is among the metrics."""
        return True

    def lr_in(self, epoch: int) -> float:
        """The learning rate of a 0-based update."""
        rates = LearningRates(
            schedule=self.lr_schedule,
            lr=self.lr,
            num_updates=self.epochs,
            final_fraction=self.lr_final_fraction,
            gamma=self.lr_gamma,
            step_size=self.lr_step_size,
        )
        return rates.at(epoch)
