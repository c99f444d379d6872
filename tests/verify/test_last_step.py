from dataclasses import replace

from observations import make_run

from hotloop.verify.last_step import last_step, up_to
from hotloop.worker.saved_object import SavedObject


def test_the_last_step_is_that_after_the_last_kind_of_event_that_was_met():
    run = replace(make_run(), first_events={"evaluation": 12, "checkpoint": 17})
    assert last_step(run, 6) == 18
    assert last_step(run, 30) == 30
    assert last_step(make_run(), 6) == 6


def test_a_program_that_ends_is_watched_to_its_end():
    assert last_step(replace(make_run(), ended=True), 6) == 21


def test_what_came_later_is_left_out():
    saves = tuple(SavedObject(title="save", step=step, digest=0, leaves={}) for step in (3, 8))
    run = up_to(replace(make_run(), saves=saves), 8)
    assert len(run.losses) == len(run.each_loss) == 8
    assert run.saves == saves[:1]
