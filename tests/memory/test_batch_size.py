"""The search under a model of what steps cost, with noise; no clock is read."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.memory.batch_size import ROUNDS, BatchSize, BatchSizeSearch, largest_batch, sizes_of

NOISE = 0.03  # of a block, as between blocks of a small network on a shared machine


class Machine:
    """Steps of a global batch: so much for each call, so much for each sample, and more where a cache overflows."""

    def __init__(self, global_batch, *, per_call, cache, penalty, limit=math.inf, noise=NOISE, seed=0):
        self.global_batch, self.limit, self.noise = global_batch, limit, noise
        self.per_call, self.cache, self.penalty = per_call, cache, penalty
        self.random = random.Random(seed)
        self.spent, self.ended = 0.0, []

    def microbatch(self, size):
        return self.per_call + size * (1 + self.penalty * (size / (size + self.cache)) ** 2)

    def cost(self, size):
        whole, rest = divmod(self.global_batch, size)
        return 5 + whole * self.microbatch(size) + (self.microbatch(rest) if rest else 0.0)

    def measure(self, size):
        if size > self.limit:
            self.ended.append(size)
            return None
        self.spent += self.cost(size)
        return self.cost(size) * math.exp(self.random.gauss(0.0, self.noise))

    def search(self):
        return BatchSizeSearch(global_batch=self.global_batch, measure=self.measure, order=self.random).run()

    def fitting(self):
        return [size for size in sizes_of(self.global_batch) if size <= self.limit]

    def sweep_cost(self):
        return ROUNDS * sum(map(self.cost, self.fitting()))

    def lost(self, found):
        return self.cost(found.fastest) / min(map(self.cost, self.fitting())) - 1


machines = st.builds(
    Machine,
    st.sampled_from([8, 12, 16, 32, 48, 64, 100, 128, 256, 512, 1000]),
    per_call=st.floats(0.0, 20.0),
    cache=st.floats(1.0, 1000.0),
    penalty=st.floats(0.0, 1.0),
    limit=st.sampled_from([3, 7, 40, 200, math.inf]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(machine=machines)
def test_it_finds_the_size_within_3_percent_of_the_best_in_a_third_of_a_sweep(machine):
    found = machine.search()
    assert machine.lost(found) < 0.03
    assert found.blocks <= found.blocks_of_a_sweep / 3
    assert machine.spent <= machine.sweep_cost() / 3


@settings(max_examples=60, deadline=None, derandomize=True)
@given(machine=machines)
def test_no_size_for_which_memory_ended_is_tried_again_and_none_is_the_answer(machine):
    found = machine.search()
    assert len(machine.ended) == len(set(machine.ended))
    assert tuple(sorted(machine.ended)) == found.too_large
    assert found.fastest <= machine.limit
    assert len(machine.ended) <= 2 * machine.global_batch.bit_length()


def test_when_time_is_up_the_fastest_so_far_is_the_answer():
    machine = Machine(64, per_call=5, cache=100, penalty=0.5)
    search = BatchSizeSearch(
        global_batch=64, measure=machine.measure, order=machine.random, is_over=lambda: machine.spent > 300
    )
    found = search.run()
    assert found.is_cut_short
    assert found.blocks < 6
    assert not machine.search().is_cut_short


def test_where_memory_suffices_for_no_size_there_is_no_answer():
    assert Machine(32, per_call=1, cache=1, penalty=0, limit=0).search() is None


def test_a_batch_of_one_sample_has_one_size():
    found = Machine(1, per_call=1, cache=1, penalty=0).search()
    assert (found.fastest, found.microbatches, found.against_whole.ratio) == (1, 1, 1.0)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        Machine(0, per_call=1, cache=1, penalty=0).search()


def test_sizes_are_those_of_equal_parts():
    assert sizes_of(12) == [12, 6, 4, 3, 2, 1]
    assert sizes_of(10) == [10, 5, 4, 3, 2, 1]


def test_the_gain_over_whole_batches_has_an_interval():
    found = BatchSize(global_batch=8, fastest=4, seconds={4: (1.0, 1.02, 0.98), 8: (2.0, 2.04, 1.96)})
    assert found.against_whole.low < 2.0 < found.against_whole.high
    assert found.against_whole.ratio == pytest.approx(2.0, rel=0.02)
    assert BatchSize(global_batch=8, fastest=4, seconds={4: (1.0,)}, too_large=(8,)).against_whole is None


@pytest.mark.parametrize("limit", [0, 1, 5, 63, 64, 65, 1000, 5000])
def test_the_largest_batch_is_found_within_a_twentieth_in_few_tries(limit):
    tried = []

    def fits(size):
        tried.append(size)
        return size <= limit

    largest, is_bound = largest_batch(fits, start=64, most=4096)
    most = min(limit, 4096)
    assert largest <= most
    assert most - largest <= max(1, most // 20)
    assert is_bound is (limit < 4096)
    assert len(tried) <= 14
