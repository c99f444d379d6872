"""How far verification goes: to the first of each kind of event that comes in a stated time."""

from dataclasses import replace

from hotloop.worker.observation import Observation


def last_step(run: Observation, steps: int) -> int:
    """The step at which every watched run ends, at least `steps`.

    That is the step after the last kind of event that `run`, of which only losses were taken, has met; where the
    program came to its own end, one step more than it has, so that the end is watched too.
    """
    if run.ended:
        return max(steps, len(run.losses) + 1)
    return max(steps, *(after + 1 for after in run.first_events.values()), 0)


def up_to(run: Observation, last: int) -> Observation:
    """What a run of which only losses were taken showed up to its step `last`."""
    saves = tuple(save for save in run.saves if save.step < last)
    return replace(run, losses=run.losses[:last], each_loss=run.each_loss[:last], saves=saves)
