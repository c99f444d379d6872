import math

import torch
from torch.distributions import Categorical, Independent, Normal

from hotloop.models.policy.distribution import DiagonalGaussian, MaskedCategorical, sample
from hotloop.train.ppo.legal_lists import listed


def logits_and_mask(rows=64, actions=13_527, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(rows, actions, generator=generator) < 0.005
    mask[:, 7] = True
    return torch.randn(rows, actions, generator=generator) * 3, mask


def test_masked_log_probabilities_and_entropies_are_those_over_the_legal_actions_alone():
    logits, mask = logits_and_mask(8, 300)
    actions = sample(MaskedCategorical(), logits, mask)
    chosen, entropy = MaskedCategorical().evaluate(logits, actions, mask)
    for row in range(8):
        legal = mask[row].nonzero().flatten()
        reference = Categorical(logits=logits[row, legal].double())
        place = int((legal == actions[row]).nonzero())
        torch.testing.assert_close(chosen[row].double(), reference.log_prob(torch.tensor(place)), rtol=0, atol=1e-6)
        torch.testing.assert_close(entropy[row].double(), reference.entropy(), rtol=0, atol=2e-6)


def test_entropies_and_gradients_are_finite_where_one_action_is_legal():
    """Defect: 0 * -inf gave NaN."""
    logits = torch.full((2, 5), 40.0, requires_grad=True)
    mask = torch.zeros(2, 5, dtype=torch.bool)
    mask[0, 1] = mask[1, 2:] = True
    chosen, entropy = MaskedCategorical().evaluate(logits, torch.tensor([1, 2]), mask)
    (chosen.sum() + entropy.sum()).backward()
    torch.testing.assert_close(entropy.detach(), torch.tensor([0.0, math.log(3.0)]))
    assert logits.grad.isfinite().all()
    assert (logits.grad[~mask] == 0).all()


def test_no_illegal_action_is_ever_drawn_or_chosen():
    logits, mask = logits_and_mask()
    torch.manual_seed(1)
    for _ in range(20):
        assert mask.gather(1, sample(MaskedCategorical(), logits, mask)[:, None]).all()
    best = MaskedCategorical().mode(logits, mask)
    assert torch.equal(best, logits.where(mask, -math.inf).argmax(1))


def test_draws_follow_the_softmax():
    torch.manual_seed(0)
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0]).expand(200_000, 4)
    mask = torch.tensor([True, True, True, False]).expand(200_000, 4)
    shares = sample(MaskedCategorical(), logits, mask).bincount(minlength=4) / 200_000
    torch.testing.assert_close(shares[:3], logits[0, :3].softmax(0), atol=5e-3, rtol=0)
    assert shares[3] == 0


def test_gaussian_densities_and_entropies_are_those_of_torch():
    torch.manual_seed(0)
    outputs = torch.randn(6, 4).clamp(-2.0, 2.0)
    actions = sample(DiagonalGaussian(), outputs, None)
    chosen, entropy = DiagonalGaussian().evaluate(outputs, actions, None)
    reference = Independent(Normal(outputs[:, :2], outputs[:, 2:].exp()), 1)
    torch.testing.assert_close(chosen, reference.log_prob(actions))
    torch.testing.assert_close(entropy, reference.entropy())
    assert torch.equal(DiagonalGaussian().mode(outputs, None), outputs[:, :2])


def test_a_list_of_legal_actions_means_what_its_mask_means():
    logits, mask = logits_and_mask(8, 300)
    lists = listed(mask)
    actions = sample(MaskedCategorical(), logits, lists)
    assert mask.gather(1, actions[:, None]).all()
    found, gradients = [], []
    for legal in (mask, lists):
        given = logits.clone().requires_grad_()
        chosen, entropy = MaskedCategorical().evaluate(given, actions, legal)
        torch.testing.assert_close(MaskedCategorical().log_probs(given, actions, legal), chosen)
        (chosen.sum() + 0.3 * entropy.sum()).backward()
        found.append(torch.stack([chosen, entropy]).detach())
        gradients.append(given.grad)
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*gradients)
    assert torch.equal(*(MaskedCategorical().mode(logits, legal) for legal in (mask, lists)))


def test_draws_from_a_list_follow_the_softmax_of_the_legal_actions():
    torch.manual_seed(0)
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0]).expand(200_000, 4)
    lists = torch.tensor([2, 0, 1, -1], dtype=torch.int32).expand(200_000, 4)
    shares = sample(MaskedCategorical(), logits, lists).bincount(minlength=4) / 200_000
    torch.testing.assert_close(shares[:3], logits[0, :3].softmax(0), atol=5e-3, rtol=0)
    assert shares[3] == 0
