import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotloop.data.panel import DaySpan, split_days, walk_forward
from hotloop.errors import PanelError

DAYS = np.arange(1000, 3000, 2)


@given(horizon=st.integers(1, 40), embargo=st.integers(0, 20))
def test_no_target_of_a_part_ends_in_the_next(horizon, embargo):
    split = split_days(DAYS, horizon=horizon, embargo=embargo)
    place = {int(day): index for index, day in enumerate(DAYS)}
    for before, after in ((split.train, split.validation), (split.validation, split.test)):
        assert place[before.last] + horizon + embargo < place[after.first]
        assert place[after.first] - place[before.last] == horizon + embargo + 1
    assert split.train.first == DAYS[0]
    assert split.test.last == DAYS[-1]


def test_folds_train_on_the_past_alone_and_test_every_later_day_once():
    folds = list(walk_forward(DAYS, folds=4, horizon=5, embargo=2))
    tested = [day for _, test in folds for day in DAYS if test.first <= day <= test.last]
    assert tested == DAYS[200:].tolist()
    assert all(train.last + 2 * 7 < test.first for train, test in folds)


@pytest.mark.parametrize("options", [{"validation": 0.0}, {"test": 1.0}, {"horizon": 700}, {"horizon": 0}])
def test_splits_that_leave_nothing_are_refused(options):
    with pytest.raises(PanelError, match="got"):
        split_days(DAYS, **{"horizon": 5, **options})


def test_folds_that_leave_nothing_are_refused():
    with pytest.raises(PanelError, match="longer than what is purged"):
        list(walk_forward(DAYS, folds=100, horizon=50))


def test_spans_are_read_and_written_as_dates():
    assert str(DaySpan.between("2020-01-01", "2020-02-29")) == "2020-01-01 to 2020-02-29"
    with pytest.raises(PanelError, match="YYYY-MM-DD"):
        DaySpan.between("1/1/20", "2020-02-29")
    with pytest.raises(PanelError, match="has no day"):
        DaySpan(first=3, last=2)
