"""Traps of panel items 1, 2 and 6: dtypes of rows, shared scalers, first in first out."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.claims import panel_02_clone
from benchmarks.claims.panel_01_iterrows import by_columns, by_lists, by_rows, refusal
from benchmarks.claims.panel_06_fifo_cache import KINDS, hit_rate, trace

COLUMNS = {
    "integer": st.integers(-(2**40), 2**40),
    "float": st.floats(allow_nan=True, allow_infinity=False, width=64),
    "bool": st.booleans(),
    "text": st.text(max_size=4),
    "text or missing": st.one_of(st.none(), st.text(max_size=4)),
    "date": st.dates(pd.Timestamp("1990-01-01").date()).map(pd.Timestamp),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 6))
    kinds = {name: draw(st.sampled_from(sorted(COLUMNS))) for name in ("code", "value", "other")}
    names = draw(st.sampled_from([["code", "value"], ["code", "value", "other"]]))
    return pd.DataFrame(
        {name: pd.Series(draw(st.lists(COLUMNS[kinds[name]], min_size=rows, max_size=rows))) for name in names}
    )


def same(left: dict, right: dict) -> bool:
    def both(a: object, b: object) -> bool:
        return a == b or bool(pd.isna(a) and pd.isna(b))

    return list(left) == list(right) and all(both(left[key], right[key]) for key in left)


@settings(max_examples=80, deadline=None)
@given(frames())
def test_columns_give_what_rows_give_unless_refused(frame: pd.DataFrame) -> None:
    if not refusal(frame):
        assert same(by_columns(frame), by_rows(frame))
        assert same(by_lists(frame), by_rows(frame))


def test_integers_beside_floats_are_refused_with_the_dtypes_named() -> None:
    frame = pd.DataFrame({"code": [1301, 1302], "value": [0.5, 1.5]})
    assert list(by_rows(frame)) == ["1301.0", "1302.0"]
    assert list(by_columns(frame)) == ["1301", "1302"]
    assert "int64" in refusal(frame)
    assert "float64" in refusal(frame)


def test_missing_codes_are_refused() -> None:
    frame = pd.DataFrame({"code": ["1301", None], "value": ["a", "b"]})
    assert set(by_rows(frame)) == {"1301", "nan"}
    assert any(isinstance(key, float) and math.isnan(key) for key in by_columns(frame))
    assert "missing" in refusal(frame)


def test_a_changed_clone_changes_no_other_split() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 6))
    scaler = panel_02_clone.RobustScaler(rows)
    train, test = scaler.clone(), scaler.clone()
    expected = test.transform(rows)
    train.median_F[:] = 100.0
    train.scale_F *= 2.0
    np.testing.assert_array_equal(test.transform(rows), expected)
    np.testing.assert_array_equal(scaler.transform(rows), expected)
    assert test.nbytes == 6 * 2 * 8


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.lists(st.integers(0, 12), max_size=80))
def test_every_cache_hits_and_misses_as_the_list_does(capacity: int, keys: list[int]) -> None:
    held: list[int] = []
    expected = []
    for key in keys:
        expected.append(key in held)
        held = held if key in held else [*held, key][-capacity:]
    for make in KINDS.values():
        assert trace(make(capacity), keys) == expected


@pytest.mark.parametrize(("capacity", "persistent", "rate"), [(100_000, True, 1.0), (256, False, 0.0)])
def test_hit_rates_of_caches_that_hold_all_or_forget_all(capacity: int, persistent: bool, rate: float) -> None:
    assert hit_rate(capacity, persistent=persistent) == rate
