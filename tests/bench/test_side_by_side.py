import pytest
import torch

from hotloop.bench import compare

SMALL, LARGE = torch.ones(64, 64), torch.ones(256, 256)


def small() -> None:
    SMALL @ SMALL


def large() -> None:
    LARGE @ LARGE


def test_what_does_a_64th_of_the_work_is_faster_and_the_mirror_image_slower():
    found, mirrored = compare(large, small, rounds=8), compare(small, large, rounds=8)
    assert found.is_faster
    assert mirrored.is_slower
    assert found.message.startswith("faster in this process: ")


def test_two_jobs_are_compared_by_their_steps(job):
    found = compare(job, job, rounds=4)
    assert found.speedup.low < found.speedup.ratio < found.speedup.high
    assert found.rounds == 4


def test_the_threshold_is_at_least_the_margin_of_the_house():
    assert compare(small, small, rounds=4).threshold >= 0.02


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        compare(small, small, rounds=3)
