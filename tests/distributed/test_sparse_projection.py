import pytest
import torch

from hotloop.distributed.counter_hash import hashed, hashed_trits, seed_of
from hotloop.distributed.sparse_projection import SparseProjection


def normal(size, seed):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_lengths_and_angles_are_kept() -> None:
    a, b = normal(20_000, 0), normal(20_000, 1)
    b += a
    projection = SparseProjection(20_000, 4_000, seed=1)
    ya, yb = projection.project(a), projection.project(b)
    assert ya.norm() / a.norm() == pytest.approx(1.0, abs=0.06)
    cosines = [torch.cosine_similarity(*both, dim=0).item() for both in ((a, b), (ya, yb))]
    assert cosines[0] == pytest.approx(cosines[1], abs=0.06)


def test_the_way_back_is_the_transpose() -> None:
    projection = SparseProjection(500, 60, seed=3)
    a, y = normal(500, 0), normal(60, 1)
    torch.testing.assert_close(torch.dot(projection.project(a), y), torch.dot(a, projection.project_back(y)))


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SparseProjection(0, 4, seed=0)


def test_hashes_are_spread_evenly_and_differ_by_seed() -> None:
    counters = torch.arange(60_000)
    counts = torch.bincount(hashed(counters, 5) % 10, minlength=10)
    assert (counts - 6000).abs().max() < 5 * 6000**0.5
    assert (hashed(counters, 5) == hashed(counters, 6)).float().mean() < 1e-3
    trits = hashed_trits(60_000, 7)
    assert [(trits == value).float().mean().item() for value in (-1, 0, 1)] == pytest.approx([1 / 3] * 3, abs=0.01)


def test_seeds_of_names_are_fixed_for_ever() -> None:
    assert seed_of("weight", 42) == seed_of("weight", 42) != seed_of("bias", 42)
    assert hashed(torch.arange(3), 42).tolist() == hashed(torch.arange(3), 42).tolist()
