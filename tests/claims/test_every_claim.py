"""What holds for every claim on trial."""

import os

import pytest
import torch

from benchmarks.claims.page import DEFAULT
from benchmarks.claims.trial import load, names

SECONDS_LONG = {"panel_07_compile_head", "growth_t6_compile_epoch"}  # their first size waits for a compiler or a model


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
    torch._dynamo.reset()


def check(name: str, size: str) -> None:
    comparison = load(name).sizes[size]()
    results = {variant: run() for variant, run in comparison.variants.items()}
    assert len(results) >= 2
    if comparison.check is not None:
        comparison.check(results)


def test_both_tables_are_on_trial() -> None:
    items = [load(name).item for name in names()]
    assert [item for item in items if item.isdecimal()] == [str(number) for number in range(1, 11)]
    assert {"H1", "H2", "L1", "L2", "L3", "M1", "M2", "M3", "M4"} <= set(items)
    assert len(set(items)) == len(items)


@pytest.mark.parametrize("name", names())
def test_a_claim_has_words_samples_and_something_to_judge_by(name: str) -> None:
    claim = load(name)
    assert claim.title
    assert claim.text.endswith(".")
    assert claim.figure
    assert claim.sizes or claim.counts is not None
    assert (DEFAULT / f"{name}.json").is_file()


@pytest.mark.parametrize("name", [name for name in names() if load(name).sizes and name not in SECONDS_LONG])
def test_variants_of_the_first_size_are_equal(name: str) -> None:
    check(name, next(iter(load(name).sizes)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [(name, size) for name in names() for size in load(name).sizes])
def test_variants_of_every_size_are_equal(name: str, size: str) -> None:
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    check(name, size)
