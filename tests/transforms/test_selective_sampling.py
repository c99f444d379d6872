"""Selection in programs that know nothing of it."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hotloop.transform import figures
from hotloop.transforms.selective_sampling import SelectiveSampling

pytestmark = pytest.mark.usefixtures("restored")


def data() -> TensorDataset:
    inputs = torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    return TensorDataset(inputs, (inputs[:, 0] > 0).long())


def train(loader: DataLoader, loss_of, epochs: int) -> list[int]:
    """A loop as people write it; how many batches each epoch had."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batches = []
    for _ in range(epochs):
        batches.append(0)
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss_of(model(inputs), labels).backward()
            optimizer.step()
            batches[-1] += 1
    return batches


@pytest.mark.parametrize("workers", [0, 1])
def test_once_most_examples_are_easy_a_pass_is_shorter(under, workers) -> None:
    plan = SelectiveSampling()
    started, hooks = under(plan)
    with hooks:
        loader = DataLoader(data(), batch_size=20, shuffle=True, num_workers=workers)
        batches = train(loader, nn.CrossEntropyLoss(), 25 if not workers else 2)
    assert started.not_applied() == {}
    assert batches[0] == len(loader) == 20
    if not workers:
        assert batches[-1] <= 12
        assert figures(plan)["backward_ratio"] > 1.2


def test_the_loss_of_a_plain_pass_is_the_programs_own_to_the_last_digits(under) -> None:
    _, hooks = under(SelectiveSampling())
    outputs = torch.randn(20, 3, requires_grad=True)
    labels = torch.arange(20) % 3
    labels[4] = -100
    plain = nn.functional.cross_entropy(outputs, labels, label_smoothing=0.1)
    (expected,) = torch.autograd.grad(plain, outputs)
    with hooks:
        loader = DataLoader(TensorDataset(torch.zeros(20)), batch_size=20, shuffle=True)
        next(iter(loader))
        loss = nn.functional.cross_entropy(outputs, labels, label_smoothing=0.1)
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(torch.autograd.grad(loss, outputs)[0], expected)


def test_a_loss_over_hard_examples_has_the_value_of_all_and_their_gradient(under) -> None:
    _, hooks = under(SelectiveSampling(keep=0.5))
    with hooks:
        loader = DataLoader(TensorDataset(torch.zeros(4)), batch_size=4, shuffle=True)
    sampler = loader.batch_sampler
    sampler.record([0, 1, 2, 3], torch.tensor([0.001, 0.001, 0.001, 4.0]))
    list(sampler)
    assert sampler.is_active
    sampler.current = [0, 3]
    losses = torch.tensor([1.0, 4.0], requires_grad=True)
    loss = sampler.mean_loss(losses, losses.mean())
    assert loss.item() == pytest.approx((2 * 1.0 + 1 * 4.0) / 3)
    assert torch.autograd.grad(loss, losses)[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shuffle": False}, "does not shuffle"),
        ({"shuffle": True, "batch_size": None}, "does not shuffle"),
        ({"sampler": torch.utils.data.RandomSampler(range(400))}, "sampler of its own"),
    ],
)
def test_a_loader_that_is_none_to_train_from_stays_as_it_is(under, arguments, words) -> None:
    started, hooks = under(SelectiveSampling())
    with hooks:
        DataLoader(data(), **arguments)
    assert words in started.not_applied()["selective_sampling"]


def test_a_program_with_a_loss_of_its_own_is_told_what_is_missing(under) -> None:
    started, hooks = under(SelectiveSampling())
    with hooks:
        loader = DataLoader(data(), batch_size=20, shuffle=True)
        train(loader, lambda outputs, labels: (outputs[:, 0] - labels).square().mean(), 1)
    assert "no loss of single examples was seen" in started.not_applied()["selective_sampling"]


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 1"):
        SelectiveSampling(keep=1.5)
