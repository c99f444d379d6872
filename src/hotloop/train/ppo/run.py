"""One run of PPO, from a model and an environment to a trained model."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from hotloop.compile.backends import Backend
from hotloop.compile.precision import half_dtype
from hotloop.errors import WorkloadError
from hotloop.models.policy.network_call import NetworkCall, distribution_of
from hotloop.train.checkpoint import CheckpointRecorder
from hotloop.train.epoch_log import Epoch
from hotloop.train.epochs import train_epochs
from hotloop.train.flat.compiled import Compilation
from hotloop.train.microbatches import GroupedBatches
from hotloop.train.ppo.acting import Acting
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.norm_statistics import NormStatistics
from hotloop.train.ppo.opponents import Opponents
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.rank_share import RankStates, share_of
from hotloop.train.ppo.rollout import Rollout
from hotloop.train.ppo.update_batches import UpdateBatches
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import stopwatch_for
from hotloop.train.strategies.ppo import PPO
from hotloop.train.threads import intra_op_threads, suited_threads


@dataclass(frozen=True, kw_only=True)
class PPOUpdate:
    """One update: 1-based number, steps of the environments so far, batches, mean loss and metrics.

    `metrics` has policy_loss, value_loss, entropy, approx_kl, clip_fraction and grad_norm (before clipping) as means
    over the batches, learning_rate, and what the last episodes came to, once one has ended.
    """

    number: int
    steps: int
    batches: int
    loss: float
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class PPORun:
    """A finished run; `seconds` is its wall time, of this process alone, `phases` where that went.

    Phases: acting (the network in rollouts) and environment; rollout (what is left of it: the buffer, the values after
    it, the advantages); reward (forward and loss), backward and optimizer of the update, or compiled for all of it.
    """

    history: tuple[PPOUpdate, ...]
    seconds: float
    phases: dict[str, float]


def train_ppo(
    model: nn.Module,
    environment: VectorEnvironment,
    options: PPOOptions | None = None,
    *,
    seed: int | None = None,
    device: torch.device | str | None = None,
    on_update: Callable[[PPOUpdate], None] | None = None,
    recorder: CheckpointRecorder | None = None,
    backend: Backend = "inductor",
    ranks: Ranks | None = None,
) -> PPORun:
    """Trains an actor-critic in place on what it does in `environment`; it ends in eval mode.

    `seed` seeds torch's global generators, from which actions and the order of samples are drawn: equal seeds, models
    and environments give equal runs on the CPU. A `recorder` keeps the run, its environment included, so that it can go
    on to the same end. `backend` is what compiles under compile="step". With several `ranks` the options are those of
    all together, and `environment` is the share of this one; all end with equal weights. Raises NonFiniteError for NaN
    or infinities under nonfinite="stop", WorkloadError for an environment that shows a position without a legal action,
    NotApplicable for a step that cannot be compiled whole, and ValueError for batches that ranks cannot divide.
    """
    ranks = ranks or Ranks()
    options = share_of(options or PPOOptions(), ranks)
    target = next(model.parameters()).device if device is None else torch.device(device)
    if seed is not None:
        torch.manual_seed(seed * ranks.size + ranks.rank)
    model.to(target)
    if options.memory_format == "channels_last":
        model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    is_captured = options.compile == "step"
    if options.compile is not None and not is_captured:
        model.compile(mode=options.compile)
    _check_outcomes(model, environment, options)
    updates = options.updates(environment.num_envs)
    call, distribution = NetworkCall(half_dtype(options.amp, target)), distribution_of(model)
    stopwatch = stopwatch_for("auto", target)
    strategy = PPO(
        distribution,
        call,
        clip=options.clip,
        value_coef=options.value_coef,
        entropy_coef=options.entropy_coef,
        value_clip=options.value_clip,
        score_coef=options.score_coef if options.value_loss == "outcome" else None,
        device=target,
        follows_kl=options.target_kl is not None,
    )
    batches = UpdateBatches(
        model,
        Rollout(
            model,
            environment,
            num_steps=options.num_steps,
            acting=Acting(model, call, distribution, captures=backend if is_captured else None),
            device=target,
            opponents=_opponents(model, environment, call, options),
            learns_outcomes=options.value_loss == "outcome",
            stopwatch=stopwatch,
        ),
        strategy,
        NormStatistics(model, call),
        options,
        num_updates=updates.epochs,
        sign=-1.0 if environment.alternates else 1.0,
        stopwatch=stopwatch,
        ranks=ranks,
    )
    is_alone = ranks.size == 1

    def record(epoch: Epoch) -> PPOUpdate:
        rate = updates.lr_in(epoch.number - 1)
        return PPOUpdate(
            number=epoch.number,
            steps=epoch.number * options.num_steps * environment.num_envs * ranks.size,
            batches=epoch.updates,
            loss=epoch.loss,
            metrics={**epoch.metrics, "learning_rate": rate, **batches.figures[epoch.number - 1]},
        )

    with intra_op_threads(options.threads or suited_threads(model, rows=options.batch_size)):
        run = train_epochs(
            model,
            strategy,
            batches if is_alone else GroupedBatches(batches, 1),
            updates,
            stopwatch=stopwatch,
            compilation=Compilation(what="step", backend=backend, at_once=True) if is_captured else None,
            after_epoch=None if on_update is None else lambda epoch: on_update(record(epoch)),
            recorder=recorder,
            kept=batches if is_alone else RankStates(batches, ranks, target),
            ranks=ranks,
        )
    return PPORun(history=tuple(map(record, run.history)), seconds=run.total_time_s, phases=run.phases)


def _opponents(
    model: nn.Module, environment: VectorEnvironment, call: NetworkCall, options: PPOOptions
) -> Opponents | None:
    if options.opponents is None:
        return None
    if not environment.alternates:
        raise WorkloadError("opponents were asked for in an environment that is no game of two: leave them out")
    return Opponents(model, call, distribution_of(model), options.opponents, num_envs=environment.num_envs)


def _check_outcomes(model: nn.Module, environment: VectorEnvironment, options: PPOOptions) -> None:
    if options.value_loss != "outcome":
        return
    if not environment.alternates:
        raise WorkloadError("value_loss='outcome' was asked for in an environment that is no game of two: use 'return'")
    if not callable(getattr(model, "heads", None)):
        raise WorkloadError(
            f"value_loss='outcome' takes a network with `heads`, and {type(model).__name__} has none: use se_resnet, "
            "or value_loss='return'"
        )
    if options.score_coef and not getattr(environment, "has_scores", False):
        raise WorkloadError("score_coef was given, and this environment tells no scores: leave it out")
