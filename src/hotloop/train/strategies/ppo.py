"""Proximal policy optimization: the clipped loss of a batch of a rollout."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from hotloop.models.policy.distribution import ActionDistribution
from hotloop.models.policy.network_call import NetworkCall
from hotloop.workload import Loss


class PPOBatch(NamedTuple):
    """Samples to learn from; `legal` is a mask (B, A), a list (B, L), or None where all are.

    `own_B` is False where an opponent acted: the value is learned there, and the policy is not. None: all are its own.
    """

    observations: Tensor
    actions: Tensor
    legal: Tensor | None
    log_probs_B: Tensor
    values_B: Tensor
    advantages_B: Tensor
    returns_B: Tensor
    own_B: Tensor | None = None


class PPO:
    """L = L_policy + c_v L_value - c_e entropy, with the metrics of each batch, all on the device.

    `clip` and `entropy_coef` are tensors on `device`, so that a compiled step takes what is `set` between updates. The
    network is called as in the rollout, by `call`. Where `follows_kl`, the divergences are added up for `mean_kl`.
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
        follows_kl: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.clip, self.entropy_coef = (torch.zeros((), device=device) for _ in range(2))
        self.set(clip=clip, entropy_coef=entropy_coef)
        self._distribution, self._call = distribution, call
        self._value_coef, self._value_clip, self._follows_kl = value_coef, value_clip, follows_kl
        self._kl_sum, self._kl_count = (torch.zeros((), device=device) for _ in range(2))

    def set(self, *, clip: float, entropy_coef: float) -> None:
        """Use these values from now on."""
        self.clip.fill_(clip)
        self.entropy_coef.fill_(entropy_coef)

    def loss(self, model: Any, batch: PPOBatch) -> Loss:
        """The loss of one batch; nothing is read from the device."""
        outputs, values_B = self._call(model, batch.observations)
        log_probs_B, entropy_B = self._distribution.evaluate(outputs, batch.actions, batch.legal)
        mean = torch.mean if batch.own_B is None else _MeanOf(batch.own_B)
        log_ratio_B = log_probs_B - batch.log_probs_B
        if batch.own_B is not None:
            log_ratio_B = log_ratio_B.where(batch.own_B, 0.0)
        ratio_B = log_ratio_B.exp()
        bounded_B = ratio_B.clamp(1.0 - self.clip, 1.0 + self.clip)
        policy_loss = -mean(torch.minimum(ratio_B * batch.advantages_B, bounded_B * batch.advantages_B))
        value_loss = self._value_loss(values_B, batch)
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
        }
        total = policy_loss + self._value_coef * value_loss - self.entropy_coef * entropy
        return Loss(total, len(values_B), metrics)

    def log_probs(self, model: Any, batch: PPOBatch) -> Tensor:
        """Log-probabilities (B,) of the actions of a batch."""
        outputs, _ = self._call(model, batch.observations)
        return self._distribution.log_probs(outputs, batch.actions, batch.legal)

    def mean_kl(self) -> float:
        """The mean divergence of the batches since the last call. Reads the device once."""
        mean = float(self._kl_sum / self._kl_count)
        self._kl_sum.zero_()
        self._kl_count.zero_()
        return mean

    def _value_loss(self, values_B: Tensor, batch: PPOBatch) -> Tensor:
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
