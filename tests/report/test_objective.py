"""Reports say what a plan was searched for, and have the figure of memory beside that of speed."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from hotloop.measurement import Interval, Memory
from hotloop.objective import Objective
from hotloop.records.documents import read_result, result_data
from hotloop.report import summary
from hotloop.report.commands import next_command
from hotloop.report.page import render_page
from hotloop.report.wording import headline
from hotloop.verdict import Outcome

LESS = Interval(ratio=1.39, low=1.35, high=1.43)
MIB = 2**20


@pytest.fixture
def smaller(proven):
    """The same session, had it looked for memory."""
    last = replace(proven.trials[-1], memory_ratio=LESS)
    return replace(
        proven,
        objective=Objective.MEMORY,
        speedup=Interval(ratio=0.78, low=0.76, high=0.8),
        memory_ratio=LESS,
        memory_aa=Interval(ratio=1.0, low=0.99, high=1.01),
        baseline_memory=Memory(rss=812 * MIB),
        memory=Memory(rss=585 * MIB),
        trials=(*proven.trials[:-1], last),
    )


def printed(result):
    file = io.StringIO()
    Console(file=file, width=80).print(summary(result))
    return " ".join(file.getvalue().replace("│", " ").split())


def test_the_headline_has_both_figures_with_their_intervals(smaller):
    assert headline(smaller) == (
        "Proven: it needs 1.39x [1.35, 1.43] less memory (812 -> 585 MiB), trains 0.78x [0.76, 0.80] as fast by CPU "
        "time and learns the same."
    )
    assert headline(replace(smaller, objective=Objective.BOTH)).startswith("Proven: it trains 0.78x")
    failed = replace(smaller, verdict=Outcome.FAIL)
    assert headline(failed).startswith("Not proven: it needs 1.39x")
    assert "neither memory nor speed" in headline(replace(failed, memory_ratio=None))


def test_terminal_and_page_say_the_objective_and_the_memory_of_each_trial(smaller):
    text = printed(smaller)
    assert "Objective memory" in text
    assert "1.39x [1.35, 1.43]" in text
    page = render_page(smaller)
    assert "<h3>Peak memory</h3>" in page
    assert "memory, less by 1.39x [1.35, 1.43]" in page
    assert "above 1x needs less memory" in page


def test_for_throughput_the_memory_is_told_beside_the_speed(smaller, proven):
    found = replace(smaller, objective=Objective.THROUGHPUT, speedup=proven.speedup)
    assert headline(found) == headline(proven)
    assert "Memory 1.39x [1.35, 1.43] less memory (812 -> 585 MiB)" in printed(found)
    assert "<h3>Peak memory</h3>" not in render_page(found)


def test_a_plan_that_needs_more_memory_says_more(smaller):
    more = Interval(ratio=0.5, low=0.4, high=0.8)
    found = replace(smaller, objective=Objective.THROUGHPUT, memory_ratio=more, memory=Memory(rss=1624 * MIB))
    assert "Memory 2.00x [1.25, 2.50] more memory (812 -> 1,624 MiB)" in printed(found)
    same = replace(found, memory_ratio=Interval(ratio=0.99, low=0.86, high=1.17), memory=Memory(rss=800 * MIB))
    assert "Memory the same memory within the interval, 0.99x [0.86, 1.17] (812 -> 800 MiB)" in printed(same)


def test_the_document_keeps_them_and_one_without_them_is_read(smaller, proven):
    assert read_result(result_data(smaller)) == smaller
    before = result_data(proven)
    for name in ("objective", "memory_ratio", "memory_aa", "baseline_memory", "memory"):
        del before[name]
    assert read_result(before) == proven


def test_an_open_claim_is_measured_again_for_the_same_objective(smaller):
    is_open = replace(smaller, verdict=Outcome.INCONCLUSIVE)
    assert next_command(is_open) == "hotloop prove --replay out/demo/evidence --budget 9m"
    assert (
        "tune examples/digits_cnn.py --objective memory --transforms allocator,channels_last,compile"
        in next_command(replace(is_open, evidence=""))
    )
