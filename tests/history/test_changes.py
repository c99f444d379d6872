import importlib.util
import sys

import pytest
from tests.history.conftest import PLANTED, series_of, step_times

from hotloop.errors import HistoryError
from hotloop.history.changes import find_changes

needs_ruptures = pytest.mark.skipif(
    importlib.util.find_spec("ruptures") is None, reason="ruptures is not installed: pip install 'hotloop[history]'"
)


@needs_ruptures
@pytest.mark.parametrize("seed", range(20))
def test_three_planted_changes_in_200_commits_are_found_and_no_other(seed):
    changes = find_changes(series_of(step_times(seed)))
    assert len(changes) == 3
    for change, (place, factor) in zip(changes, PLANTED.items(), strict=True):
        assert abs(change.index - place) <= 3
        assert change.ratio == pytest.approx(factor, abs=0.015)
        assert change.revision == f"c{change.index}"


@needs_ruptures
@pytest.mark.parametrize("seed", range(20))
def test_a_series_without_a_change_has_none(seed):
    assert find_changes(series_of(step_times(seed, planted=False))) == []


@needs_ruptures
def test_a_change_below_the_least_effect_is_not_told():
    values = [0.02] * 20 + [0.0201] * 20
    assert find_changes(series_of(values)) == []
    assert len(find_changes(series_of(values), least_effect=0.001)) == 1


@pytest.mark.parametrize("values", [[0.02] * 4 + [0.04] * 5, [0.0] * 10 + [1.0] * 10])
def test_too_short_a_series_or_one_without_logarithms_has_no_changes(values):
    assert find_changes(series_of(values)) == []


def test_without_ruptures_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(HistoryError, match=r"pip install 'hotloop\[history\]'"):
        find_changes(series_of(step_times(0)))
