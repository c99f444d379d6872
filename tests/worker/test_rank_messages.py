"""What several ranks say, as one."""

from hotloop.worker.rank_messages import joined_turns, merged_turn, slowest_rank


def turn(
    *,
    wall: float = 0.01,
    loader: float = 0.0,
    backward: float = 0.004,
    cpu: float = 0.002,
    collectives: float = 0.0,
    losses=(1.0, 2.0),
):
    steps = len(losses)
    return {
        "wall": [wall] * steps,
        "cpu": [wall / 2] * steps,
        "cuda": [],
        "losses": list(losses),
        "steps": steps,
        "threads": 1,
        "children": 1,
        "program_threads": 0,
        "prefetched_steps": 0,
        "roots": 1,
        "optimizers": ["Adam"],
        "not_applied": {},
        "rss": 100,
        "cuda_allocated": 0,
        "cuda_reserved": 0,
        "ready_seconds": 1.0,
        "waits": {
            "loader": steps * loader,
            "backward": steps * backward,
            "backward_cpu": steps * cpu,
            "collectives": steps * collectives,
        },
    }


def test_the_slowest_counts_and_the_processes_take_what_all_take():
    refused = {**turn(losses=(3.0, None)), "not_applied": {"phases": "no"}, "wall": [0.02, 0.01]}
    found = merged_turn([turn(), refused])
    assert (found["wall"], found["losses"], found["rss"], found["children"]) == ([0.02, 0.01], [2.0, 2.0], 200, 4)
    assert found["not_applied"] == {"phases": "no"}


def test_steps_that_one_rank_did_not_make_are_left_out():
    assert len(merged_turn([turn(), turn(losses=(1.0,))])["wall"]) == 1


def test_a_rank_whose_loader_is_slow_is_named_though_all_steps_take_equally_long():
    waiting, slow = turn(wall=0.02, backward=0.014), turn(wall=0.02, loader=0.01, backward=0.004)
    told = slowest_rank([waiting, slow])
    assert told.startswith("rank 1 is the slowest")
    assert "what it waited for most is its loader (10 ms a step, theirs 0 ms)" in told
    assert "all ranks wait 2 ms a step for what they exchange" in told


def test_a_rank_that_waits_at_a_barrier_is_not_the_slow_one():
    waiting, slow = turn(wall=0.02, collectives=0.012), turn(wall=0.02, collectives=0.001)
    told = slowest_rank([waiting, slow])
    assert told.startswith("rank 1 is the slowest")
    assert "what it waited for most is its own code beside loader and backward (15 ms a step, theirs 4 ms)" in told
    assert "all ranks wait 3 ms a step for what they exchange" in told


def test_equal_ranks_are_not_called_slow():
    assert slowest_rank([turn(), turn()]).startswith("no rank is slower than the others by more than 5 %")


def test_two_turns_are_one_with_the_state_of_the_later():
    found = joined_turns(turn(), {**turn(losses=(3.0,)), "steps": 3})
    assert (found["losses"], len(found["wall"]), found["steps"]) == ([1.0, 2.0, 3.0], 3, 3)
