"""Proximal policy optimization: the clipped loss of a batch of a rollout."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hotloop.models.policy.distribution import ActionDistribution
from hotloop.models.policy.heads import Heads
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ranks import Ranks
from hotloop.workload import Loss


class PPOBatch(NamedTuple):
    """Samples to learn from; `legal` is a mask (B, A), a list (B, L), or None where all are.

    `own_B` is False where an opponent acted: the value is learned there, and the policy is not. None: all are its own.
    `outcomes_B`, int64, are how the games ended for who acts (0 won, 1 drawn, 2 lost, -1 not known), `scores_B` what
    the environment says of the position; both for networks that predict them.
    """

    observations: Tensor
    actions: Tensor
    legal: Tensor | None
    log_probs_B: Tensor
    values_B: Tensor
    advantages_B: Tensor
    returns_B: Tensor
    own_B: Tensor | None = None
    outcomes_B: Tensor | None = None
    scores_B: Tensor | None = None


class PPO:
    """L = L_policy + c_v L_value - c_e entropy, with the metrics of each batch, all on the device.

    `clip` and `entropy_coef` are tensors on `device`, so that a compiled step takes what is `set` between updates. The
    network is called as in the rollout, by `call`. Where `follows_kl`, the divergences are added up for `mean_kl`.
    L_value is the squared error of the returns; with a `score_coef` it is the cross-entropy of the outcomes that are
    known, plus so many times the squared error of the scores (0: no scores), of a network with `heads`.
    Source: Schulman et al. 2017, arXiv:1707.06347; the divergence is (r - 1) - log r, after Schulman 2020
    (joschu.net/blog/kl-approx.html).
    """

    name: ClassVar[str] = "ppo"

    def __init__(
        self,
        distribution: ActionDistribution,
        call: NetworkCall,
        *,
        clip: float = 0.2,
        value_coef: float = 0.5,
        entropy_coef: float = 0.01,
        value_clip: bool = False,
        score_coef: float | None = None,
        follows_kl: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.clip, self.entropy_coef = (torch.zeros((), device=device) for _ in range(2))
        self.set(clip=clip, entropy_coef=entropy_coef)
        self._distribution, self._call = distribution, call
        self._value_coef, self._value_clip, self._follows_kl = value_coef, value_clip, follows_kl
        self._score_coef = score_coef
        self._kl_sum, self._kl_count = (torch.zeros((), device=device) for _ in range(2))

    def set(self, *, clip: float, entropy_coef: float) -> None:
        """Use these values from now on."""
        self.clip.fill_(clip)
        self.entropy_coef.fill_(entropy_coef)

    def loss(self, model: Any, batch: PPOBatch) -> Loss:
        """The loss of one batch; nothing is read from the device."""
        outputs, value_loss, value_metrics = self._outputs_and_value_loss(model, batch)
        log_probs_B, entropy_B = self._distribution.evaluate(outputs, batch.actions, batch.legal)
        mean = torch.mean if batch.own_B is None else _MeanOf(batch.own_B)
        log_ratio_B = log_probs_B - batch.log_probs_B
        if batch.own_B is not None:
            log_ratio_B = log_ratio_B.where(batch.own_B, 0.0)
        ratio_B = log_ratio_B.exp()
        bounded_B = ratio_B.clamp(1.0 - self.clip, 1.0 + self.clip)
        policy_loss = -mean(torch.minimum(ratio_B * batch.advantages_B, bounded_B * batch.advantages_B))
        entropy = mean(entropy_B)
        with torch.no_grad():
            kl = mean(ratio_B - 1.0 - log_ratio_B)
            clipped = mean(((ratio_B - 1.0).abs() > self.clip).float())
            if self._follows_kl:
                self._kl_sum.add_(kl)
                self._kl_count.add_(1.0)
        metrics = {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "entropy": entropy.detach(),
            "approx_kl": kl,
            "clip_fraction": clipped,
            **value_metrics,
        }
        total = policy_loss + self._value_coef * value_loss - self.entropy_coef * entropy
        return Loss(total, len(outputs), metrics)

    def log_probs(self, model: Any, batch: PPOBatch) -> Tensor:
        """Log-probabilities (B,) of the actions of a batch."""
        outputs, _ = self._call(model, batch.observations)
        return self._distribution.log_probs(outputs, batch.actions, batch.legal)

    def mean_kl(self, ranks: Ranks | None = None) -> float:
        """The mean divergence of the batches of all ranks since the last call. Reads the device once."""
        total, count = (ranks or Ranks()).sum(torch.stack([self._kl_sum, self._kl_count])).unbind()
        mean = float(total / count)
        self._kl_sum.zero_()
        self._kl_count.zero_()
        return mean

    def _outputs_and_value_loss(self, model: Any, batch: PPOBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        if self._score_coef is not None:
            heads = self._call.heads(model, batch.observations)
            loss, metrics = self._outcome_loss(heads, batch)
            return heads.policy, loss, metrics
        outputs, values_B = self._call(model, batch.observations)
        return outputs, self._return_loss(values_B, batch), {}

    def _outcome_loss(self, heads: Heads, batch: PPOBatch) -> tuple[Tensor, dict[str, Tensor]]:
        assert batch.outcomes_B is not None
        errors_B = functional.cross_entropy(heads.outcome, batch.outcomes_B, ignore_index=-1, reduction="none")
        loss = errors_B.sum() / (batch.outcomes_B >= 0).sum().clamp(min=1)  # of none it would be NaN
        if not self._score_coef:
            return loss, {}
        assert batch.scores_B is not None
        score_loss = (heads.score - batch.scores_B).square().mean()
        return loss + self._score_coef * score_loss, {"score_loss": score_loss.detach()}

    def _return_loss(self, values_B: Tensor, batch: PPOBatch) -> Tensor:
        error_B = (values_B - batch.returns_B).square()
        if self._value_clip:
            near_B = batch.values_B + (values_B - batch.values_B).clamp(-self.clip, self.clip)
            error_B = torch.maximum(error_B, (near_B - batch.returns_B).square())
        return error_B.mean()


class _MeanOf:
    """The mean of the entries that are chosen; 0 where none is."""

    def __init__(self, chosen_B: Tensor) -> None:
        self._chosen_B = chosen_B
        self._count = chosen_B.sum().clamp(min=1)

    def __call__(self, values_B: Tensor) -> Tensor:
        return values_B.where(self._chosen_B, 0.0).sum() / self._count
