import platform
import threading

import pytest

from hotloop.errors import MeasurementError
from hotloop.machine.perf_counter import PerfCounter, PerfEvent


def opened(event):
    """The counter, or why there is none."""
    try:
        return PerfCounter(event), ""
    except MeasurementError as error:
        return None, str(error)


@pytest.fixture
def clock():
    counter, reason = opened(PerfEvent.TASK_CLOCK)
    if counter is None:
        pytest.skip(reason)
    yield counter
    counter.close()


def work():
    return sum(range(300_000))


def test_what_this_thread_and_its_later_threads_do_is_counted(clock):
    first = clock.read()
    work()
    second = clock.read()
    thread = threading.Thread(target=lambda: [work() for _ in range(20)])
    thread.start()
    thread.join()
    assert clock.read() - second > 5 * (second - first) > 0


def test_instructions_are_counted_alike_or_refused_with_the_reason():
    counter, reason = opened(PerfEvent.INSTRUCTIONS)
    if counter is None:
        assert "no counter of instructions here: " in reason or "are read on" in reason
        return
    counts = []
    for _ in range(3):
        before = counter.read()
        work()
        counts.append(counter.read() - before)
    counter.close()
    assert max(counts) < 1.05 * min(counts)


def test_other_systems_are_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(MeasurementError, match=r"no counters are read on \w+ riscv64"):
        PerfCounter()
