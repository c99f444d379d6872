"""A program of two real ranks is one worker: its turns, and each way in which a rank can fail."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotloop.errors import MeasurementError, NeverStepped, WorkloadCrashed
from hotloop.transform import Plan
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.workload import Script

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
Starter = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    with ExitStack() as stack:

        def begin(
            fault: str = "", *, script: str = "ddp", plan: Plan | None = None, limit: float = 120.0, **further
        ) -> Worker:
            settings = Settings(folder=tmp_path / "session", variables={"OMP_NUM_THREADS": "1"}, turn_limit=limit)
            workload = Script(path=Path(f"{script}.py"), arguments=(fault,), folder=PROGRAMS, num_ranks=2)
            return stack.enter_context(Worker(workload, plan or Plan(), settings, **further))

        yield begin


def test_all_ranks_make_the_steps_of_a_turn_and_the_slowest_is_named_with_what_it_waited_for(start: Starter) -> None:
    worker = start("slow_loader")
    worker.wait_at_barrier()
    first, second = worker.turn(3), worker.turn(5, seconds=0.3)
    assert (first.steps, len(first.wall), len(first.losses)) == (3, 3, 3)
    assert second.steps == 3 + len(second.wall) > 8
    assert first.children >= 2
    assert "rank 1 is the slowest" in second.slowest_rank
    assert "what it waited for most is its loader" in second.slowest_rank


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fp16", "powersgd", "ternary", "vsa"])
def test_hooks_and_settings_act_where_an_unmodified_program_wraps_its_model(start: Starter, kind: str) -> None:
    hook, settings = {"name": "comm_hook", "kind": kind}, {"name": "ddp_settings", "static_graph": True}
    worker = start(plan=Plan.from_data([hook, settings]))
    worker.wait_at_barrier()
    report = worker.turn(60)
    assert report.not_applied == {}
    assert sum(report.losses[-10:]) < 0.8 * sum(report.losses[:10])
    if kind == "ternary":
        assert report.figures["bytes_ratio"] > 16


@pytest.mark.slow
def test_a_rank_that_dies_is_named_with_its_signal(start: Starter) -> None:
    worker = start("dies")
    worker.wait_at_barrier()
    with pytest.raises(WorkloadCrashed, match=r"rank 1 was ended by signal SIGKILL after"):
        worker.turn(20)


def test_a_hook_that_raises_is_the_error_of_its_rank(start: Starter) -> None:
    worker = start("hook")
    worker.wait_at_barrier()
    with pytest.raises(WorkloadCrashed, match=r"rank 1: .*the hook of rank 1 is broken"):
        worker.turn(20)


@pytest.mark.slow
def test_uneven_batches_end_at_the_time_limit_with_the_reason(start: Starter) -> None:
    worker = start("uneven", limit=8.0)
    worker.wait_at_barrier()
    worker.turn(3, limit=60.0)
    with pytest.raises(NeverStepped, match=r"rank 1 has come to the end of its program after 4 steps.*drop_last"):
        worker.turn(20)


@pytest.mark.slow
def test_a_program_that_fsdp_shards_takes_turns_and_tells_what_ddp_has_alone(start: Starter) -> None:
    hook, settings = {"name": "comm_hook", "kind": "fp16"}, {"name": "ddp_settings"}
    worker = start(script="fsdp", plan=Plan.from_data([{"name": "fused_optimizer"}, hook, settings]))
    worker.wait_at_barrier()
    report = worker.turn(60)
    assert sum(report.losses[-10:]) < 0.8 * sum(report.losses[:10])
    assert list(report.not_applied) == ["comm_hook", "ddp_settings"]
    assert "one that FSDP shards has none of its settings" in report.not_applied["comm_hook"]


@pytest.mark.slow
def test_a_rank_that_stands_at_a_barrier_waits_for_the_slow_one(start: Starter) -> None:
    worker = start("slow_code")
    worker.wait_at_barrier()
    worker.turn(3)
    told = worker.turn(20).slowest_rank
    assert "rank 1 is the slowest" in told
    assert "what it waited for most is its own code beside loader and backward" in told


@pytest.mark.slow
def test_uneven_batches_under_join_are_measured_to_the_end_in_one_turn(start: Starter) -> None:
    worker = start("join")
    worker.wait_at_barrier()
    worker.turn(3)
    with pytest.raises(EndedEarly) as end:
        worker.turn(40)
    assert end.value.steps == 8


@pytest.mark.slow
def test_uneven_batches_under_join_end_at_the_time_limit_where_turns_are_shorter(start: Starter) -> None:
    worker = start("join", limit=8.0)
    worker.wait_at_barrier()
    worker.turn(3, limit=60.0)
    with pytest.raises(NeverStepped, match=r"rank 1 did not make the steps that the others have made"):
        worker.turn(7)


def test_what_looks_into_one_process_refuses_several_ranks(start: Starter) -> None:
    with pytest.raises(MeasurementError, match="give it one rank"):
        start(program=("hotloop.diagnose.probe_process",))
