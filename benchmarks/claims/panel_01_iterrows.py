"""Panel item 1: a dictionary from two columns of a table, row by row or column by column."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from benchmarks.claims.evidence import Evidence, span, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

ROWS = 3_973
STRINGS, INTEGERS = "3,973 rows, text codes", "3,973 rows, integer codes"


def by_rows(frame: pd.DataFrame) -> dict[str, Hashable]:
    """What the claim found."""
    found = {}
    for _, row in frame.iterrows():
        found[str(row["code"])] = row["value"]
    return found


def by_columns(frame: pd.DataFrame) -> dict[str, Hashable]:
    """What the claim proposed."""
    return dict(zip(frame["code"].astype(str), frame["value"], strict=True))


def by_lists(frame: pd.DataFrame) -> dict[str, Hashable]:
    """The columns as Python lists first."""
    return dict(zip(map(str, frame["code"].tolist()), frame["value"].tolist(), strict=True))


def refusal(frame: pd.DataFrame) -> str:
    """Why reading columns may give other keys or values than reading rows; empty where it gives the same.

    A row has one dtype for all columns, so iterrows turns integers beside floats into floats before anybody sees them.
    """
    row = frame.iloc[:0].to_numpy().dtype
    for name in ("code", "value"):
        if row != np.dtype(object) and frame[name].dtype != row:
            return f"column {name!r} is {frame[name].dtype}, but rows are {row}: iterrows converts it; convert it first"
    if frame["code"].dtype.kind in "mM":
        return "column 'code' holds times, of which a column drops the hours where all are 0: format them first"
    if frame["code"].isna().any():
        return "column 'code' has missing values, which the two ways spell differently: drop or name them first"
    return ""


def table(*, codes: str, values: str = "text", missing: bool = False) -> pd.DataFrame:
    """A table of codes and values: each "text", "integer" or "float"."""
    numbers = np.arange(ROWS) + 1301
    kinds = {"text": [f"{number}" for number in numbers], "integer": numbers, "float": numbers + 0.25}
    frame = pd.DataFrame({"code": kinds[codes], "value": kinds[values], "other": kinds["text"]})
    if missing:
        frame.loc[::10, "code"] = None
    return frame if values == "text" else frame[["code", "value"]]


def comparison(codes: str) -> Comparison:
    frame = table(codes=codes)

    def check(results: Mapping[str, dict[str, Hashable]]) -> None:
        assert not refusal(frame)
        assert all(found == results["iterrows"] for found in results.values())

    return Comparison(
        variants={
            "iterrows": lambda: by_rows(frame),
            "zip of columns": lambda: by_columns(frame),
            "zip of lists": lambda: by_lists(frame),
        },
        check=check,
    )


def num_other_keys(frame: pd.DataFrame) -> int:
    """Keys that the proposed way gives and the old one does not."""
    return len(set(by_columns(frame)) - set(by_rows(frame)))


def counts() -> Mapping[str, float]:
    mixed, missing = table(codes="integer", values="float"), table(codes="text", missing=True)
    dates = table(codes="integer").assign(code=pd.date_range("2000-01-01", periods=ROWS))
    return {
        "keys that change, integer codes beside float values": num_other_keys(mixed),
        "keys that change, one code in ten missing": num_other_keys(missing),
        "keys that change, dates as codes": num_other_keys(dates),
        "of these three tables refused before the change": sum(bool(refusal(t)) for t in (mixed, missing, dates)),
    }


def judge(seen: Evidence) -> Judgement:
    proposed, best = seen.ratio(STRINGS, "zip of columns"), seen.ratio(STRINGS, "zip of lists")
    changed = seen.count("keys that change, integer codes beside float values")
    if proposed.low >= 5:
        ruling = Ruling.HOLDS
    else:
        ruling = Ruling.HALF if seen.is_faster(STRINGS, "zip of columns") else Ruling.FAILS
    before, after = (span(seen.seconds(STRINGS, name).ratio) for name in ("iterrows", "zip of columns"))
    return Judgement(
        ruling=ruling,
        measured=f"{times(proposed)} ({before} to {after}); lists first: {times(best)}",
        why=f"Equal results are not given, though: integer codes beside a float column change {changed:,.0f} of "
        f"{ROWS:,} keys, and missing codes and dates change too, so a fixer must look at dtypes first.",
    )


CLAIM = Claim(
    item="1",
    title="iterrows",
    text="Building a dictionary with iterrows is slow; zipping two columns is functionally equivalent.",
    figure="5x to 10x; 50-100 ms become 5-10 ms at 3,973 rows",
    judge=judge,
    sizes={STRINGS: lambda: comparison("text"), INTEGERS: lambda: comparison("integer")},
    counts=counts,
)
