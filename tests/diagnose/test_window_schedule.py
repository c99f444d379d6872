from contextlib import contextmanager

import pytest

from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.window_schedule import WindowSchedule


class Recorded(Probe):
    """Writes into a list what is done with it."""

    def __init__(self, context, name, window, events):
        super().__init__(context)
        self.name, self.window, self.events = name, window, events

    @contextmanager
    def active(self):
        self.events.append(f"{self.name} opens")
        yield
        self.events.append(f"{self.name} closes")

    def report(self, times):
        return ProbeReport()


@pytest.fixture
def events():
    return []


@pytest.fixture
def schedule(context, events):
    early, late = StepWindow(order=1, steps=2, most=1.0), StepWindow(order=2, steps=1, most=1.0)
    probes = [Recorded(context, "c", late, events)]
    probes += [Recorded(context, name, early, events) for name in "ab"]
    return WindowSchedule(probes, timed_steps=30, budget=100.0)


def test_windows_open_in_order_after_the_warmup_and_equal_ones_together(schedule, events):
    assert [schedule.step() for _ in range(4)] == [True] * 4
    assert events == ["a opens", "b opens"]
    assert [schedule.step() for _ in range(3)] == [True, True, False]
    assert events[2:] == ["b closes", "a closes", "c opens", "c closes"]
    assert [probe.name for probe in schedule.done] == ["a", "b", "c"]
    assert [probe.steps for probe in schedule.done] == [2, 2, 1]


def test_a_program_that_ends_early_closes_what_has_had_a_step(schedule, events):
    for _ in range(5):
        schedule.step()
    schedule.close()
    assert events == ["a opens", "b opens", "b closes", "a closes"]
    assert schedule.waiting == ["c"]
