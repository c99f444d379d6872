import threading

import pytest

from hotloop.machine.memory import FreeMemory
from hotloop.measurement import Memory
from hotloop.worker.admission import Admission

GIB = 2**30


def admission(free: float, taken: float = 0.0, *, device: float | None = None, reserved: float = 0.0) -> Admission:
    """One for a machine with so many GiB, on which a worker has taken so many."""
    memory = FreeMemory(host=int(free * GIB), device=None if device is None else int(device * GIB))
    made = Admission(lambda: memory)
    if taken:
        made.learn(Memory(rss=int(taken * GIB), cuda_reserved=int(reserved * GIB)), with_device=bool(reserved))
    return made


@pytest.mark.parametrize(
    ("free", "taken", "fitting"), [(10.0, 1.0, 8), (10.0, 3.0, 2), (10.0, 4.5, 1), (10.0, 9.0, 1), (100.0, 1.0, 80)]
)
def test_as_many_fit_as_four_fifths_of_what_is_free_holds(free: float, taken: float, fitting: int) -> None:
    assert admission(free, taken).at_once() == fitting


def test_before_the_first_worker_nothing_is_known() -> None:
    assert admission(10.0).at_once() is None


def test_a_device_counts_with_the_context_of_each_process() -> None:
    assert admission(100.0, 1.0, device=10.0, reserved=3.5).at_once() == 2
    assert admission(100.0, 1.0, device=10.0).at_once() is None


def test_the_largest_that_was_taken_counts() -> None:
    made = admission(10.0, 3.0)
    made.learn(Memory(rss=GIB), with_device=True)
    assert made.at_once() == 2


def is_admitted(made: Admission, *, within: float = 0.3) -> bool:
    """Whether a second worker may start while one is alive."""
    entered = threading.Event()

    def enter() -> None:
        with made.admitted():
            entered.set()

    with made.admitted():
        thread = threading.Thread(target=enter)
        thread.start()
        found = entered.wait(within)
    thread.join()
    return found


def test_a_second_worker_starts_beside_one_where_both_fit() -> None:
    assert is_admitted(admission(10.0, 3.0))


def test_a_second_worker_waits_where_they_do_not_fit() -> None:
    assert not is_admitted(admission(10.0, 4.5))


def test_a_second_worker_waits_until_the_first_says_what_it_takes() -> None:
    made = admission(10.0)
    assert not is_admitted(made)
    threading.Timer(0.1, lambda: made.learn(Memory(rss=GIB), with_device=False)).start()
    assert is_admitted(made, within=5.0)


def test_workers_that_share_files_run_one_at_a_time() -> None:
    made = admission(10.0, 1.0)
    made.share_files = True
    assert not is_admitted(made)
