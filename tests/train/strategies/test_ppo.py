import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop import models, registry
from hotloop.models.policy.distribution import MaskedCategorical
from hotloop.models.policy.heads import Heads
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.strategies.ppo import PPO, PPOBatch


def strategy(**options):
    return PPO(MaskedCategorical(), NetworkCall(None), **options)


class Fixed(torch.nn.Module):
    """Gives these logits and values, whatever it sees."""

    def __init__(self, logits, values):
        super().__init__()
        self.logits, self.values = torch.nn.Parameter(torch.tensor(logits)), torch.tensor(values)

    def forward(self, x):
        return self.logits, self.values


def batch(log_probs, advantages, *, actions=(0, 0), values=(0.0, 0.0), returns=(0.0, 0.0), legal=None):
    return PPOBatch(
        torch.zeros(2, 1),
        torch.tensor(actions),
        legal,
        torch.tensor(log_probs),
        torch.tensor(values),
        torch.tensor(advantages),
        torch.tensor(returns),
    )


def test_it_is_registered_under_the_name_of_its_file():
    assert registry.load("strategies", "ppo") is PPO


def test_the_loss_is_that_of_the_paper():
    """Ratios of 2 and 0.5 by hand, clipped to 1.2 and 0.8 where that is worse."""
    model = Fixed([[0.0, 0.0], [0.0, 0.0]], [1.0, 3.0])
    old = [math.log(0.25), math.log(1.0)]
    loss = strategy(value_coef=0.5, entropy_coef=0.1).loss(model, batch(old, [1.0, -1.0], returns=(2.0, 1.0)))
    policy, value, entropy = -(1.2 - 0.8) / 2, (1.0 + 4.0) / 2, math.log(2.0)
    assert loss.value.item() == pytest.approx(policy + 0.5 * value - 0.1 * entropy)
    found = {name: metric.item() for name, metric in loss.metrics.items()}
    kl = ((2.0 - 1.0 - math.log(2.0)) + (0.5 - 1.0 - math.log(0.5))) / 2
    assert found == pytest.approx(
        {"policy_loss": policy, "value_loss": value, "entropy": entropy, "approx_kl": kl, "clip_fraction": 1.0}
    )
    assert loss.count == 2


def test_a_clipped_value_counts_as_the_worse_of_both():
    model = Fixed([[0.0, 0.0], [0.0, 0.0]], [1.0, 0.1])
    loss = strategy(value_clip=True).loss(model, batch([0.0, 0.0], [0.0, 0.0], returns=(1.0, 0.0)))
    assert loss.metrics["value_loss"].item() == pytest.approx((0.8**2 + 0.1**2) / 2)


def test_entropies_and_gradients_with_masks_are_finite():
    legal = torch.tensor([[True, False], [True, True]])
    model = Fixed([[0.0, 300.0], [0.0, 0.0]], [0.0, 0.0])
    loss = strategy(entropy_coef=1.0).loss(model, batch([0.0, -0.7], [1.0, 1.0], legal=legal))
    loss.value.backward()
    assert loss.metrics["entropy"].item() == pytest.approx(math.log(2.0) / 2)
    assert model.logits.grad.isfinite().all()


class Reads(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_a_loss_reads_nothing_from_the_device():
    model = models.create("mlp", observation_size=1, num_actions=2)
    made = strategy(follows_kl=True)
    with Reads() as reads:
        made.loss(model, batch([-0.7, -0.7], [1.0, 1.0])).value.backward()
    assert not {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"} & set(reads.seen)
    assert made.mean_kl() == pytest.approx(0.0, abs=1e-3)


class FixedHeads(Fixed):
    """Gives these logits, outcomes and scores, whatever it sees."""

    def __init__(self, logits, outcomes, scores):
        super().__init__(logits, [0.0, 0.0])
        self.outcomes, self.scores = torch.tensor(outcomes), torch.tensor(scores)

    def heads(self, x):
        return Heads(self.logits, self.outcomes, self.scores)


def with_outcomes(outcomes, scores=(0.0, 0.0)):
    plain = batch([math.log(0.5)] * 2, [0.0, 0.0])
    return plain._replace(outcomes_B=torch.tensor(outcomes), scores_B=torch.tensor(scores))


def test_known_outcomes_are_learned_by_cross_entropy_and_scores_by_squares():
    model = FixedHeads([[0.0, 0.0], [0.0, 0.0]], [[2.0, 0.0, 1.0], [5.0, 0.0, 0.0]], [0.5, -1.0])
    made = strategy(value_coef=1.5, entropy_coef=0.0, score_coef=0.1)
    loss = made.loss(model, with_outcomes([2, -1], scores=(0.25, 0.0)))
    lost = math.log(math.exp(2.0) + 1.0 + math.exp(1.0)) - 1.0
    score = (0.25**2 + 1.0) / 2
    assert loss.metrics["score_loss"].item() == pytest.approx(score)
    assert loss.metrics["value_loss"].item() == pytest.approx(lost + 0.1 * score)
    assert loss.value.item() == pytest.approx(1.5 * (lost + 0.1 * score))


def test_a_batch_without_a_known_outcome_has_no_value_loss():
    model = FixedHeads([[0.0, 0.0], [0.0, 0.0]], [[2.0, 0.0, 1.0]] * 2, [0.0, 0.0])
    loss = strategy(score_coef=0.0).loss(model, with_outcomes([-1, -1]))
    assert loss.metrics["value_loss"].item() == 0.0
    assert loss.value.isfinite()
