"""Finds a faster plan for one workload and proves it."""

from collections.abc import Generator
from contextlib import contextmanager

from hotloop.objective import MOST_SLOWDOWN, Objective
from hotloop.proof.prove import confirmed, verified
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.trial import Result
from hotloop.tune.candidates import check_names, find_candidates
from hotloop.tune.first_diagnosis import diagnose_first
from hotloop.tune.search import Search
from hotloop.workload import Workload, parse_workload


def find_plan(workload: Workload | str, *, options: Options | None = None, progress: Progress | None = None) -> Result:
    """The best plan by the objective that was found within the budget: PASS only where the whole plan was confirmed.

    The confirmation runs in fresh processes after the search, against the untransformed program. Raises WorkloadError
    where the program itself does not run.
    """
    workload = parse_workload(workload) if isinstance(workload, str) else workload
    options = options or Options()
    check_names((*options.only, *options.skip))
    with open_session("tune", workload, options, progress) as session, _search(session) as search:
        if options.objective is not Objective.MEMORY:
            session.limits = diagnose_first(session)
        candidates = find_candidates(
            session.environment,
            workload,
            only=options.only,
            skip=options.skip,
            limits=session.limits,
            objective=options.objective,
        )
        if candidates.bounded:
            names = ", ".join(candidates.bounded)
            session.note(f"not tried, since by the diagnosis they could win less than 2 %: {names}")
        session.progress.say("running the untransformed program")
        session.gate.prepare()
        plan = search.run(candidates)
        if not plan.transforms:
            gains = {
                Objective.THROUGHPUT: "was both faster and sound",
                Objective.MEMORY: f"saved memory, was sound and took at most {MOST_SLOWDOWN:g} times as long",
                Objective.BOTH: "was sound and gained speed or memory without losing the other",
            }[options.objective]
            session.note(f"no change {gains}; the confirmation below is the script against itself")
        elif limit := session.limits.of(transform.name for transform in plan.transforms):
            session.note(f"by the diagnosis this plan could win {limit:.2f}x at most")
        session.progress.say(f"confirming {plan.title} in fresh processes")
        gates = search.gates or verified(session, plan)
        return confirmed(session, plan, gates, title="confirm")


@contextmanager
def _search(session: Session) -> Generator[Search]:
    """A search on this machine, or one whose screenings fan out over those of a Ray cluster."""
    if session.options.executor != "ray":
        yield Search(session=session)
        return
    from hotloop.tune.fan_out import FanOut
    from hotloop.tune.ray_machines import open_ray_machines

    with open_ray_machines(session) as machines:
        fan_out = FanOut(machines)
        yield Search(
            session=session,
            screen=fan_out.screen,
            screen_again=fan_out.screen_again,
            num_machines=fan_out.num_machines,
        )
