import pytest
import torch
from torch import nn

from hotloop import registry
from hotloop.train.loop import train
from hotloop.train.strategies.classification import Classification
from hotloop.train.strategies.language_model import LanguageModel
from hotloop.workload import Job

SIZES = (128, 128, 128, 32)


def job(model, batches, strategy):
    return Job(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.0), batches=batches, strategy=strategy)


def samples(classes=5):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(sum(SIZES), 6, generator=generator)
    targets = torch.randint(0, classes, (sum(SIZES),), generator=generator)
    inputs[-32:] *= 20.0  # the small batch is the bad one
    return inputs, targets


@pytest.mark.parametrize("ignored", [0, 7])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.2, 3.0, 1.0, 0.5, 2.0])])
def test_the_mean_of_uneven_batches_is_that_of_one_batch_of_everything(weights, ignored):
    torch.manual_seed(0)
    model = nn.Linear(6, 5)
    inputs, targets = samples()
    targets[: ignored * 10 : 10] = -100
    strategy = Classification(class_weights=weights)
    report = train(job(model, list(zip(inputs.split(SIZES), targets.split(SIZES), strict=True)), strategy), epochs=1)
    whole = nn.functional.cross_entropy(model(inputs), targets, weight=weights)
    assert report.loss == pytest.approx(whole.item(), rel=1e-6)
    kept = targets != -100
    item_weights = torch.ones(len(targets)) if weights is None else weights[targets.clamp(min=0)]
    right = (model(inputs).argmax(1) == targets).float()
    expected = (right * item_weights * kept).sum() / (item_weights * kept).sum()
    assert report.metrics["accuracy"] == pytest.approx(expected.item(), rel=1e-6)


def test_a_left_out_last_batch_is_left_out():
    model = nn.Linear(6, 5)
    inputs, targets = (part[:384] for part in samples())
    batches = list(zip(inputs.split(128), targets.split(128), strict=True))
    report = train(job(model, batches, Classification()), epochs=1)
    assert report.loss == pytest.approx(nn.functional.cross_entropy(model(inputs), targets).item(), rel=1e-6)


class Images(nn.Module):
    """Logits (B, C, H, W): three axes and more are no sign of a language model."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 5, 1)

    def forward(self, x):
        return self.layer(x)


def test_logits_of_images_are_classified_by_pixel():
    torch.manual_seed(0)
    model, inputs = Images(), torch.randn(3, 2, 4, 4)
    targets = torch.randint(0, 5, (3, 4, 4))
    loss = Classification().loss(model, (inputs, targets))
    assert loss.value.item() == pytest.approx(nn.functional.cross_entropy(model(inputs), targets).item(), rel=1e-6)
    assert loss.count.item() == 48


class Transposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, 9))

    def forward(self, tokens):
        return self.table[tokens].transpose(0, 1).contiguous().transpose(0, 1)  # not contiguous


def test_a_language_model_weighs_by_tokens_that_count():
    torch.manual_seed(0)
    model, tokens = Transposed(), torch.randint(0, 7, (6, 4))
    targets = torch.randint(0, 9, (6, 4))
    targets[4:] = -100
    targets[0, :3] = -100
    batches = list(zip(tokens.split(2), targets.split(2), strict=True))
    report = train(job(model, batches, LanguageModel()), epochs=1)
    whole = nn.functional.cross_entropy(model(tokens).reshape(-1, 9), targets.reshape(-1))
    assert report.loss == pytest.approx(whole.item(), rel=1e-6)
    assert (report.count, report.num_nonfinite) == (13.0, 0)


def test_both_are_found_by_name():
    assert registry.load("strategies", "classification") is Classification
    assert registry.load("strategies", "language_model") is LanguageModel
