"""The page says what the samples say."""

import copy
import json

import numpy as np
import pytest
import torch

from benchmarks.claims import page
from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.trial import load, names
from hotloop.measurement import Interval


def documents() -> dict[str, dict]:
    return {name: json.loads((page.DEFAULT / f"{name}.json").read_text(encoding="utf-8")) for name in names()}


def planted(ratio: float, *, processes: int = 5, noise: float = 0.005) -> Evidence:
    """Evidence of a change that is `ratio` times as fast."""
    generator = np.random.default_rng(0)
    document = copy.deepcopy(documents()["panel_04_type_hints"])

    def samples(seconds: float) -> list[float]:
        return (seconds * np.exp(noise * generator.standard_normal(20))).tolist()

    def size() -> dict:
        cpu = {"old": samples(1.0), "new": samples(1.0 / ratio), "again": samples(1.0)}
        return {"calls": dict.fromkeys(cpu, 1), "order": [[0, 1, 2]] * 20, "cpu": cpu, "wall": cpu}

    document["processes"] = [{"process": i, "counts": {}, "sizes": {"work": size()}} for i in range(processes)]
    return Evidence({**document, "clock": "cpu"})


def test_the_page_is_what_the_samples_say() -> None:
    assert page.TARGET.read_text(encoding="utf-8") == page.page()


@pytest.mark.parametrize("name", names())
def test_samples_are_raw_and_from_at_least_three_fresh_processes(name: str) -> None:
    document = documents()[name]
    assert document["claim"] == name
    assert document["threads"] == 1
    assert len({process["process"] for process in document["processes"]}) >= 3
    for process in document["processes"]:
        for size in process["sizes"].values():
            assert len({tuple(order) for order in size["order"]}) > 1
            assert all(len(values) == len(size["order"]) for values in size["cpu"].values())


def test_the_sizes_that_were_measured_are_those_of_the_claim() -> None:
    for name, document in documents().items():
        claim, measured = load(name), Evidence(document)
        if measured.has_cuda == torch.cuda.is_available():
            assert measured.sizes == list(claim.sizes)


def test_a_planted_change_is_found_with_its_size() -> None:
    seen = planted(2.0)
    interval = seen.ratio("work", "new")
    assert interval.low < 2.0 < interval.high
    assert interval.high / interval.low < 1.05
    assert seen.is_faster("work", "new")
    assert not seen.is_slower("work", "new")
    assert seen.is_slower("work", "old", over="new")
    assert seen.share("work", "new").ratio == pytest.approx(0.5, rel=0.02)


def test_no_change_is_no_gain() -> None:
    seen = planted(1.0)
    assert not seen.is_faster("work", "new")
    assert not seen.is_slower("work", "new")
    assert seen.seconds("work", "new").ratio == pytest.approx(1.0, rel=0.02)


def test_counts_that_differ_between_processes_are_refused() -> None:
    document = documents()["growth_l2_empty_loader"]
    document["processes"][1]["counts"] = {**document["processes"][1]["counts"], "host reads": 1}
    with pytest.raises(ValueError, match="counted differently"):
        _ = Evidence(document).counts


def test_samples_of_an_unknown_format_are_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        Evidence({**documents()["growth_l2_empty_loader"], "schema": 2})


def test_an_unknown_claim_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no claim is named 'flash'"):
        load("flash")


def test_rulings_follow_the_samples() -> None:
    """A claim that fails here holds on samples in which its change is as fast as promised."""
    document = documents()["panel_04_type_hints"]
    for process in document["processes"]:
        for size in process["sizes"].values():
            for clock in ("cpu", "wall"):
                size[clock]["with hints"] = [value / 1.5 for value in size[clock]["with hints"]]
    claim = load("panel_04_type_hints")
    assert claim.judge(Evidence(documents()["panel_04_type_hints"])).ruling == "does not hold"
    assert claim.judge(Evidence(document)).ruling == "holds"


def test_numbers_are_written_for_readers() -> None:
    assert [digits(value) for value in (0, 0.00012, 0.5, 13.04, 215.6, 54731)] == [
        "0", "0.00012", "0.5", "13", "216", "54,731",
    ]  # fmt: skip
    assert [span(seconds) for seconds in (2.0, 0.0047, 3.4e-6, 9e-8)] == ["2 s", "4.7 ms", "3.4 us", "90 ns"]
    assert times(Interval(ratio=13.0, low=12.0, high=14.0)) == "13.0x [12.0, 14.0]"
