import itertools
import math

import pytest
import torch

from hotloop.models.policy.distribution import sample
from hotloop.models.policy.factored import FactoredCategorical

# Wait; germinate (1) in one of two slots, one of three blueprints; prune (2) one of two slots.
FACTORS = [(0,), *[(1, slot, seed) for slot, seed in itertools.product(range(2), range(3))], (2, 0), (2, 1)]


@pytest.fixture
def distribution():
    return FactoredCategorical(FACTORS)


def outputs(rows=4, seed=0):
    return torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed)) * 3.0


def masks(rows=4):
    legal = torch.rand(rows, len(FACTORS), generator=torch.Generator().manual_seed(1)) < 0.6
    legal[:, 0] = True
    return legal


def by_hand(logits, legal):
    """The log-probability of each legal action, choice by choice."""
    heads = [logits[:3], logits[3:5], logits[5:8]]
    allowed = [choices for choices, may in zip(FACTORS, legal, strict=True) if may]
    found = []
    for choices, may in zip(FACTORS, legal, strict=True):
        total = 0.0
        for level, choice in enumerate(choices):
            same = {other[level] for other in allowed if other[:level] == choices[:level] and len(other) > level}
            if may:
                total += heads[level][choice] - math.log(sum(math.exp(heads[level][each]) for each in same))
        found.append(total)
    return found


def test_it_has_one_logit_a_choice_and_one_mask_column_an_action(distribution):
    assert (distribution.num_outputs, distribution.num_actions) == (8, 9)
    assert distribution.mask_width(outputs()) == 9


def test_probabilities_are_those_of_the_choices_one_after_another(distribution):
    joint = distribution.joint(outputs(), masks())
    for row, logits, legal in zip(joint, outputs().tolist(), masks().tolist(), strict=True):
        for value, expected, may in zip(row.tolist(), by_hand(logits, legal), legal, strict=True):
            assert value == pytest.approx(expected, abs=1e-5) if may else value < -1e38


@pytest.mark.parametrize("mask", [None, masks()])
def test_probabilities_of_legal_actions_add_up_to_one(distribution, mask):
    assert torch.allclose(distribution.joint(outputs(), mask).exp().sum(1), torch.ones(4), atol=1e-6)
    assert torch.allclose(distribution.joint(1e4 * outputs(), mask).exp().sum(1), torch.ones(4), atol=1e-5)


def test_waiting_trains_the_first_head_alone_and_pruning_no_blueprint(distribution):
    for action, silent in ((0, slice(3, 8)), (7, slice(5, 8))):
        logits = outputs().requires_grad_()
        distribution.log_probs(logits, torch.full((4,), action), None).sum().backward()
        assert (logits.grad[:, silent] == 0.0).all()
        assert (logits.grad[:, :3] != 0.0).all()


def test_samples_are_legal_and_come_as_often_as_they_should(distribution):
    torch.manual_seed(0)
    logits, legal = outputs(1), masks(1)
    drawn = sample(distribution, logits.expand(20_000, -1), legal.expand(20_000, -1))
    shares = torch.bincount(drawn, minlength=9) / 20_000
    assert torch.allclose(shares, distribution.joint(logits, legal).exp()[0], atol=0.015)
    assert (shares[~legal[0]] == 0.0).all()


def test_entropy_and_mode_are_of_the_joint_distribution(distribution):
    logits, legal = outputs(), masks()
    log_probs, entropy = distribution.evaluate(logits, distribution.mode(logits, legal), legal)
    joint = torch.distributions.Categorical(logits=distribution.joint(logits, legal))
    assert torch.allclose(log_probs, joint.logits.max(1).values, atol=1e-6)
    assert torch.allclose(entropy, joint.entropy(), atol=1e-5)


def test_gradients_of_the_entropy_are_finite_with_few_legal_actions(distribution):
    legal = torch.zeros(4, 9, dtype=torch.bool)
    legal[:, 0] = legal[:2, 8] = True
    logits = outputs().requires_grad_()
    distribution.evaluate(logits, torch.zeros(4, dtype=torch.long), legal)[1].sum().backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("factors", [[], [(0,), (0,)], [(0,), (0, 1)], [()]])
def test_actions_that_cannot_be_told_apart_are_refused(factors):
    with pytest.raises(ValueError, match="own"):
        FactoredCategorical(factors)
