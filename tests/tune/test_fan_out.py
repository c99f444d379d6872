"""Screening over machines that are written by hand; everything else is the real thing."""

import random
from types import SimpleNamespace

import pytest

from hotloop.compare.inference import MeasuredSpread
from hotloop.compare.replicate import Replicate, Setup
from hotloop.compare.series import AGAIN, ReplicateSeries
from hotloop.errors import ClusterError
from hotloop.measurement import Block, Clock
from hotloop.proof.session import Options
from hotloop.transform import Plan
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.channels_last import ChannelsLast
from hotloop.transforms.fused_optimizer import FusedOptimizer
from hotloop.tune.fan_out import FanOut, refusal
from hotloop.tune.screening import KEPT
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit
from hotloop.worker.process import Settings

PLANS = {"a": Plan((Autocast(),)), "b": Plan((ChannelsLast(),)), "c": Plan((FusedOptimizer(),))}
SECONDS = {KEPT: 1.0, AGAIN: 1.0, "a": 0.5, "b": 0.8, "c": 1.25}


class Cluster:
    """Machines that measure what is written above, each at its own pace, and fail when told to."""

    def __init__(self, *names: str, failing: dict[str, str] | None = None, busy: float = 0.0) -> None:
        self.names, self.failing, self.busy = list(names), failing or {}, busy
        self.units: list[tuple[str, list[str]]] = []

    def measure(self, units):
        found = {}
        for name, unit in units.items():
            self.units.append((name, sorted(unit.arms)))
            if name in self.failing:
                self.names.remove(name)
                found[name] = MeasuredUnit(failure=self.failing[name])
                continue
            pace = 1.0 + 3.0 * self.names.index(name)  # absolute times of two machines are never compared
            replicates = tuple(replicate(number, unit.arms, pace) for number in range(unit.replicates))
            found[name] = MeasuredUnit(replicates=replicates, clock=unit.clock, busy=self.busy)
        return found


def replicate(number, arms, pace):
    blocks = []
    for turn in range(8):
        for arm in arms:
            steps = (pace * SECONDS[arm] * (1 + 0.002 * (turn % 3)),) * 4
            blocks.append(Block(replicate=number, round=turn, arm=arm, wall=steps, cpu=steps))
    return Replicate(blocks=tuple(blocks), startup=dict.fromkeys(arms, 1.0))


@pytest.fixture
def session(program, tmp_path):
    """A session without a machine, which keeps what it is told."""
    kept, notes = [], []

    def series(title, arms, *, baseline, clock):
        keep = lambda block: kept.append((title, block.arm))  # noqa: E731
        setup = Setup(workload=program("mlp"), settings=None, baseline=baseline, order=None, keep=keep)
        return ReplicateSeries(setup, arms, clock=clock)

    return SimpleNamespace(
        workload=program("mlp"),
        settings=Settings(folder=tmp_path),
        clock=Clock.WALL,
        order=random.Random(0),
        spread=MeasuredSpread(),
        memory_spread=MeasuredSpread(),
        options=Options(),
        series=series,
        watch_load=lambda: None,
        note=notes.append,
        notes=notes,
        kept=kept,
        elapsed=0.0,
        progress=SimpleNamespace(say=lambda line: None),
    )


def screened(session, cluster, **further):
    return FanOut(cluster).screen(session, Plan(), PLANS, title="cheap", seconds=6.0, **further)


def test_every_machine_measures_the_kept_plan_twice_beside_its_share_and_results_are_in_one_order(session):
    cluster = Cluster("one", "two")
    found = screened(session, cluster)
    assert cluster.units == [("one", ["a", AGAIN, "c", KEPT]), ("two", [AGAIN, "b", KEPT])]
    assert [result.name for result in found] == ["a", "b", "c"]
    assert [result.ratio for result in found] == pytest.approx([2.0, 1.25, 0.8], rel=0.01)


def test_blocks_are_recorded_under_the_machine_that_ran_them(session):
    screened(session, Cluster("one", "two"), replicates=2)
    assert {title for title, arm in session.kept if arm == "b"} == {"cheap, on two"}
    assert {title for title, arm in session.kept if arm == KEPT} == {"cheap, on one", "cheap, on two"}


def test_what_a_failing_machine_was_to_measure_is_measured_on_another_and_nothing_is_lost(session):
    cluster = Cluster("one", "two", failing={"two": "its power went away"})
    found = screened(session, cluster)
    assert sorted(result.name for result in found) == ["a", "b", "c"]
    assert cluster.units[-1] == ("one", [AGAIN, "b", KEPT])
    assert session.notes == ["two failed, and what it was to measure goes to another: its power went away"]


def test_where_no_machine_is_left_the_last_failure_is_told(session):
    with pytest.raises(ClusterError, match="no machine is left to screen on; the last one failed: one: out of memory"):
        screened(session, Cluster("one", failing={"one": "out of memory"}))


def test_a_busy_machine_is_told(session):
    screened(session, Cluster("one", busy=0.9))
    assert "cheap, on one: other processes keep 0.9 cores busy there" in session.notes[0]


def test_doubts_are_measured_again_over_the_machines(session, monkeypatch):
    monkeypatch.setitem(SECONDS, "a", 0.985)
    session.spread.add(())
    cluster = Cluster("one", "two")
    first = FanOut(cluster).screen(session, Plan(), {"a": PLANS["a"]}, title="cheap", seconds=6.0)
    again = FanOut(cluster).screen_again(session, Plan(), first, title="cheap", seconds=6.0, spare=60.0)
    assert first[0].is_doubtful
    assert again[0].gain.replicates > 1
    assert "cheap, again 1, on one" in {title for title, _ in session.kept}


def test_more_machines_than_plans_leave_some_idle(session):
    cluster = Cluster("one", "two", "three", "four")
    screened(session, cluster)
    assert [name for name, _ in cluster.units] == ["one", "two", "three"]


def test_a_machine_of_another_kind_or_without_the_program_is_refused(cpu_machine):
    from dataclasses import replace

    here = MachineDescription(environment=cpu_machine, program="abc")
    assert refusal(here, here) == ""
    other = replace(here, environment=replace(cpu_machine, torch="2.9.0"))
    assert refusal(here, other) == "it is of another kind (its torch: 2.9.0, here: 2.13.0)"
    assert "all machines must see the same folder at the same path" in refusal(here, replace(here, program=""))
    older = replace(here, environment=replace(cpu_machine, git_revision="1234"))
    assert "the program's folder is at revision 1234" in refusal(here, older)
