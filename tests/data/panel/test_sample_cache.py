import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotloop.data.panel import SampleCache
from hotloop.errors import PanelError


def reference_hits(requests, capacity, eviction):
    kept, hits = [], []
    for number in requests:
        hits.append(number in kept)
        if number in kept:
            if eviction == "lru":
                kept.remove(number)
                kept.append(number)
            continue
        if len(kept) == capacity:
            kept.pop(0)
        kept.append(number)
    return hits


@pytest.mark.parametrize("eviction", ["fifo", "lru"])
@given(requests=st.lists(st.integers(0, 8)), capacity=st.integers(1, 5))
def test_hits_and_misses_are_those_of_a_plain_list(eviction, requests, capacity):
    cache, hits = SampleCache(capacity, eviction=eviction), []
    for number in requests:
        before = cache.hits
        assert cache.get(number, lambda made: -made) == -number
        hits.append(cache.hits > before)
    assert hits == reference_hits(requests, capacity, eviction)
    assert len(cache) <= capacity


def test_advice_holds_the_hit_rate_and_what_to_do():
    cache, rng = SampleCache(50), np.random.default_rng(0)
    for _ in range(4):
        for number in rng.permutation(1000).tolist():
            cache.get(number, int)
    assert cache.hit_rate < 50 / 1000
    assert "hits at most 5.0%: make the cache as large as the data set, or have none" in cache.advice(1000)
    assert "from the second epoch on every request hits" in cache.advice(50)


def test_a_cache_of_nothing_is_refused():
    with pytest.raises(PanelError, match="holds at least 1"):
        SampleCache(0)
