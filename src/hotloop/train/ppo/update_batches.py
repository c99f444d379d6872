"""The batches of one update: a rollout, then passes over it in new orders, until the policy has moved too far."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.train.ppo.norm_statistics import NormStatistics
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.rollout import Rollout
from hotloop.train.ppo.schedules import between, progress_of
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import Stopwatch
from hotloop.train.strategies.ppo import PPO, PPOBatch


class UpdateBatches:
    """Batches of one update at a time; each pass over this object is the next update.

    The model is in eval mode throughout, so that the update sees the policy that acted. With several ranks each has
    batches of its own environments; advantages, divergences, statistics and figures are those of all.
    """

    def __init__(  # the parts of one run, put together in one place
        self,
        model: nn.Module,
        rollout: Rollout,
        strategy: PPO,
        statistics: NormStatistics,
        options: PPOOptions,
        *,
        num_updates: int,
        sign: float,
        stopwatch: Stopwatch,
        ranks: Ranks | None = None,
    ) -> None:
        self._model, self._rollout, self._strategy = model, rollout, strategy
        self._statistics, self._options = statistics, options
        self._num_updates, self._sign, self._mark = num_updates, sign, stopwatch.mark
        self._ranks = ranks or Ranks()
        self.update = 0
        self.figures: list[dict[str, float]] = []  # of the episodes, after each update

    def __len__(self) -> int:
        """The number of batches of an update that is not ended early."""
        return self._options.passes * -(-self._rollout.buffer.num_samples // self._options.batch_size)

    def skip(self, epochs: int) -> None:
        """Nothing: `restore_state` has put the whole run back."""

    def __iter__(self) -> Iterator[PPOBatch]:
        options, buffer = self._options, self._rollout.buffer
        self._begin()
        last_values = self._rollout.collect()
        buffer.finish(
            last_values,
            gamma=options.gamma,
            lam=options.gae_lambda,
            sign=self._sign,
            normalize=options.normalize_advantages,
            ranks=self._ranks,
        )
        self._mark("rollout")
        for index in range(options.passes):
            order = torch.randperm(buffer.num_samples).to(buffer.values.device).split(options.batch_size)
            if index == 0 and options.old_log_probs == "recomputed":
                self._recompute(order)
            yield from map(buffer.batch, order)
            if options.target_kl is not None and self._strategy.mean_kl(self._ranks) > options.target_kl:
                break
        self._move_statistics(options.statistics_momentum)
        self.update += 1
        self._rollout.after_update(self.update)
        self.figures.append(self._rollout.log.figures(self._ranks, device=buffer.values.device))

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What the next update depends on beside the model and torch's generators; for `restore_state`."""
        data, tensors = self._rollout.state()
        return {"update": self.update, "figures": self.figures, "rollout": data}, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.update, self.figures = data["update"], list(data["figures"])
        self._rollout.restore_state(data["rollout"], tensors)

    def _begin(self) -> None:
        options, progress = self._options, progress_of(self.update, self._num_updates)
        self._model.eval()
        self._strategy.set(
            clip=between(options.clip, options.clip_end, progress),
            entropy_coef=between(options.entropy_coef, options.entropy_coef_end, progress),
        )
        if self.update == 0 and self._statistics.is_needed:
            # Statistics of nothing (mean 0, variance 1) would leave the first rollouts without any normalization.
            self._rollout.collect()
            self._move_statistics(1.0)

    def _move_statistics(self, momentum: float) -> None:
        """By at most `batch_size` samples of each rank, taken evenly from its rollout; all ranks move equally."""
        if self._statistics.is_needed:
            samples = self._rollout.buffer.observations.flatten(0, 1)
            chosen = samples[:: -(-len(samples) // self._options.batch_size)].contiguous()
            self._statistics.move(torch.cat(self._ranks.gathered(chosen)), momentum)

    @torch.no_grad()
    def _recompute(self, order: tuple[Tensor, ...]) -> None:
        log_probs = self._rollout.buffer.log_probs.view(-1)
        for chosen in order:
            log_probs[chosen] = self._strategy.log_probs(self._model, self._rollout.buffer.batch(chosen))
