import torch
from scipy.stats import t as scipy_t
from torch.nn import functional

from hotloop.train.losses.pointwise import direction, huber, pinball, student_t

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_pinball_is_that_of_each_quantile_alone(panel, days):
    _, target, valid, _ = panel
    quantiles = torch.randn(*target.shape, 5, dtype=torch.float64, requires_grad=True)
    found = pinball(quantiles, target, torch.tensor(LEVELS, dtype=torch.float64), days)
    for horizon in range(2):
        known, parts = valid[:, horizon], []
        for number, level in enumerate(LEVELS):
            error = target[known, horizon] - quantiles[known, horizon, number]
            parts.append(torch.where(error >= 0, level * error, (level - 1.0) * error).mean())
        assert torch.allclose(found[horizon], torch.stack(parts).mean())


def test_pinball_is_least_at_the_quantiles_of_the_data(days):
    target = torch.linspace(-1.0, 1.0, 32, dtype=torch.float64)[:, None].expand(32, 2)
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    right = torch.quantile(target[:, 0], levels).expand(32, 2, 5)
    assert (pinball(right, target, levels, days) < pinball(right + 0.2, target, levels, days)).all()


def test_huber_is_torchs_over_the_known_samples(panel, days):
    point, target, valid, _ = panel
    found = huber(point, target, days, delta=0.7)
    for horizon in range(2):
        known = valid[:, horizon]
        wanted = functional.huber_loss(point[known, horizon], target[known, horizon], delta=0.7)
        assert torch.allclose(found[horizon], wanted)


def test_student_t_is_scipys_likelihood(panel, days):
    _, target, valid, _ = panel
    student = torch.rand(*target.shape, 3, dtype=torch.float64) + torch.tensor([0.0, 0.5, 2.5])
    found = student_t(student, target, days)
    for horizon in range(2):
        known = valid[:, horizon]
        location, scale, freedom = student[known, horizon].unbind(-1)
        wanted = -scipy_t.logpdf(target[known, horizon], freedom, location, scale).mean()
        assert torch.allclose(found[horizon], torch.tensor(wanted))


def test_direction_is_the_cross_entropy_of_signs(panel, days):
    point, target, valid, _ = panel
    found = direction(point, target, days)
    known = valid[:, 0]
    up = (target[known, 0] > 0).double()
    assert torch.allclose(found[0], functional.binary_cross_entropy_with_logits(point[known, 0], up))


def test_unknown_targets_change_nothing_and_no_gradient_is_nan(panel, days):
    point, target, valid, _ = panel
    point = point.clone().requires_grad_()
    missing = torch.where(valid, target, torch.nan)
    for loss in (huber, direction):
        value = loss(point, missing, days)
        assert torch.equal(value, loss(point, torch.where(valid, target, 0.0), days))
        assert torch.autograd.grad(value.sum(), point)[0].isfinite().all()
