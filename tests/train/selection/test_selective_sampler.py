import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hotloop.train.selection import SelectiveSampler, selected_loss
from hotloop.train.selection.easy_share_gate import EasyShareGate


def sampler_of(num=100, batch_size=10, *, easy=0, **options):
    """A sampler that knows a loss of 0.001 for the first `easy` examples and 1 for the others."""
    sampler = SelectiveSampler(num, batch_size=batch_size, **options)
    losses = torch.ones(num)
    losses[:easy] = 0.001
    sampler.record(torch.arange(num), losses)
    return sampler


def drawn(sampler):
    return [index for part in sampler for index in part]


@pytest.mark.parametrize("mode", ["stale", "threshold", "pool"])
def test_a_shut_gate_gives_plain_permutations(mode: str) -> None:
    for sampler in (SelectiveSampler(100, batch_size=10, mode=mode), sampler_of(easy=49, mode=mode)):
        assert sorted(drawn(sampler)) == list(range(100))
        assert not sampler.is_active
        assert sampler.select(torch.rand(7)).tolist() == list(range(7))
        assert len(sampler) == 10


def test_stale_losses_leave_most_easy_examples_out() -> None:
    sampler = sampler_of(1000, easy=800, keep=0.1)
    indices = drawn(sampler)
    assert sampler.is_active
    assert set(range(800, 1000)) <= set(indices)
    assert len(set(indices)) == len(indices)
    assert 40 < len(indices) - 200 < 120


def test_easy_examples_are_all_seen_again() -> None:
    sampler = sampler_of(100, easy=80, keep=0.2)
    seen = set()
    for _ in range(60):
        seen.update(drawn(sampler))
    assert seen == set(range(100))


def test_an_example_whose_loss_rose_comes_back() -> None:
    sampler = sampler_of(100, easy=80, keep=0.01)
    sampler.record([3], torch.tensor([5.0]))
    assert all(3 in drawn(sampler) for _ in range(5))


def test_a_threshold_is_relative_to_the_batch() -> None:
    sampler = sampler_of(easy=80, mode="threshold")
    next(iter(sampler))
    assert sampler.select(torch.tensor([1.0, 0.01, 2.0, 0.02])).tolist() == [0, 2]
    assert sampler.select(torch.tensor([0.0, 0.0])).tolist() == [0, 1]


def test_a_pool_is_two_batches_of_which_a_quarter_is_trained_on() -> None:
    sampler = sampler_of(easy=80, mode="pool")
    pools = list(sampler)
    assert [len(pool) for pool in pools] == [20] * 5
    losses = torch.arange(20.0)
    assert sampler.select(losses).tolist() == [15, 16, 17, 18, 19]


@pytest.mark.parametrize("mode", ["stale", "threshold", "pool"])
def test_without_a_gate_it_selects_always(mode: str) -> None:
    sampler = SelectiveSampler(100, batch_size=10, mode=mode, gate=None)
    drawn(sampler)
    assert sampler.is_active


def test_two_runs_draw_the_same_and_passes_differ() -> None:
    runs = []
    for seed in (0, 0, 1):
        sampler = sampler_of(easy=80, seed=seed)
        runs.append([drawn(sampler), drawn(sampler)])
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] != runs[0][1]


def test_a_run_goes_on_from_its_state() -> None:
    first, second = sampler_of(easy=80), SelectiveSampler(100, batch_size=10)
    drawn(first)
    second.load_state_dict(first.state_dict())
    assert drawn(first) == drawn(second)
    with pytest.raises(ValueError, match="same data"):
        SelectiveSampler(50, batch_size=10).load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "other"}, {"keep": 0.0}, {"batch_size": 0}, {"pool": 0}, {"num_examples": 0}],
)
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SelectiveSampler(**{"num_examples": 10, "batch_size": 2, **wrong})


def test_a_mean_loss_cannot_be_recorded() -> None:
    with pytest.raises(ValueError, match="reduction='none'"):
        SelectiveSampler(10, batch_size=2).record([0, 1], torch.tensor(1.0))


def test_the_gate_counts_unseen_examples_as_hard() -> None:
    gate = EasyShareGate()
    losses = torch.full((10,), torch.nan)
    assert gate.easy_share(losses) == 0.0
    losses[:4] = torch.tensor([0.001, 0.001, 0.001, 9.0])
    assert gate.easy_share(losses) == pytest.approx(0.3)
    assert not gate.is_open(losses)
    with pytest.raises(ValueError, match="min_easy_share"):
        EasyShareGate(min_easy_share=2.0)


@pytest.mark.parametrize("mode", ["stale", "threshold", "pool"])
def test_a_classifier_is_trained_through_a_loader(mode: str) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(400, 10)
    targets = (inputs[:, 0] > 0).long()
    sampler = SelectiveSampler(400, batch_size=20, mode=mode)
    loader = DataLoader(TensorDataset(inputs, targets, torch.arange(400)), batch_sampler=sampler)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    num_rows, was_active = [], False

    for _ in range(30):
        for x, y, indices in loader:

            def losses_of(rows, x=x, y=y):
                return nn.functional.cross_entropy(model(x[rows]), y[rows], reduction="none")

            optimizer.zero_grad()
            selected_loss(sampler, indices, losses_of).backward()
            optimizer.step()
            num_rows.append(len(x))
        was_active |= sampler.is_active
    assert was_active
    assert (model(inputs).argmax(1) == targets).float().mean() > 0.98
    if mode == "stale":
        assert sum(num_rows) < 0.8 * 30 * 400


def test_the_loss_keeps_its_scale_where_a_threshold_leaves_nothing_of_it_out() -> None:
    losses = torch.tensor([1.0, 2.0, 1e-4, 1e-4])
    sampler = sampler_of(easy=80, mode="threshold")
    next(iter(sampler))
    assert selected_loss(sampler, range(4), lambda rows: losses[rows]) == pytest.approx(losses.mean().item(), rel=1e-3)
