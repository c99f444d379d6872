"""Panel item 3: where the time of one sample goes, and what the cast to float32 has to do with it."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from benchmarks.claims.evidence import Evidence, digits, percent, span, times
from benchmarks.claims.parquet_windows import Reads, Rows
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

ROWS, COLUMNS, LENGTH, GROUP = 2_000, 437, 60, 500
SAMPLE, STEPS = "one sample, 60 rows x 437 columns", "shares of one sample"
START = 700
DECODE = "for comparison: decode all 2,000 rows once"


def sample() -> Comparison:
    reads = Reads(rows=ROWS, columns=COLUMNS, length=LENGTH, group=GROUP)
    starts = iter(range(10**9))

    def check(results: Mapping[str, Rows]) -> None:
        for way in (*reads.ways.values(), reads.once):
            np.testing.assert_array_equal(way[START], reads.polars[START])
        assert all(found.shape == (LENGTH, COLUMNS) for found in results.values())

    def next_start() -> int:
        return next(starts) * 37 % len(reads.once)

    return Comparison(
        variants={
            "polars scan per item": lambda: reads.polars[next_start()],
            "polars scan that casts": lambda: reads.ways["polars, cast inside"][next_start()],
            "pyarrow row groups per item": lambda: reads.ways["pyarrow"][next_start()],
            "decoded once, views": lambda: reads.once[next_start()],
        },
        check=check,
    )


def shares() -> Comparison:
    pa.set_cpu_count(1)
    reads = Reads(rows=ROWS, columns=COLUMNS, length=LENGTH, group=GROUP)
    item = reads.polars
    raw_LF = item.read(START)
    cast_LF = item.cast(raw_LF)
    filled_LF = item.fill(cast_LF)
    return Comparison(
        variants={
            "whole sample": lambda: reads.polars[START],
            "read from parquet": lambda: reads.polars.read(START),
            "cast, float64 to float32": lambda: item.cast(raw_LF),
            "cast, already float32": lambda: item.cast(cast_LF),
            "fill missing values": lambda: item.fill(cast_LF),
            "normalise": lambda: item.normalize(filled_LF),
            DECODE: reads.decode,
        },
        check=None,
    )


def counts() -> Mapping[str, float]:
    reads = Reads(rows=ROWS, columns=COLUMNS, length=LENGTH, group=GROUP)
    return {
        "bytes of the decoded array (rows x columns x 4)": reads.once.nbytes,
        "windows that differ between the two": sum(
            not np.array_equal(reads.once[start], reads.polars[start]) for start in range(0, len(reads.once), 200)
        ),
    }


def judge(seen: Evidence) -> Judgement:
    parts = [seen.share(STEPS, name) for name in ("cast, float64 to float32", "cast, already float32")]
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    ruling = Ruling.HOLDS if low >= 0.15 else Ruling.FAILS if high < 0.15 else Ruling.UNCLEAR
    read, once = seen.share(STEPS, "read from parquet"), seen.ratio(SAMPLE, "decoded once, views")
    per_item, view = (seen.seconds(SAMPLE, name).ratio for name in ("polars scan per item", "decoded once, views"))
    pays_back = seen.seconds(STEPS, DECODE).ratio / (per_item - view)
    return Judgement(
        ruling=ruling,
        measured=f"the cast takes {percent(parts[0])} of a sample, {percent(parts[1])} where it is float32 already; "
        f"decoding once is {times(once)} ({span(per_item)} to {span(view)}, bit-equal)",
        why=f"The read takes {percent(read)}: it is the parquet file opened for each item that costs. A cast inside "
        f"polars gives {times(seen.ratio(SAMPLE, 'polars scan that casts'))}. Decoding once pays "
        f"back after {digits(pays_back)} samples and needs "
        f"{digits(seen.count('bytes of the decoded array (rows x columns x 4)') / 1e6)} MB for this file, or a "
        "memory-mapped file.",
    )


CLAIM = Claim(
    item="3",
    title="astype in the sample",
    text="Casting each sample to float32 takes a large part of the loader's time.",
    figure="15-25 % of loader time",
    judge=judge,
    sizes={SAMPLE: sample, STEPS: shares},
    counts=counts,
)
