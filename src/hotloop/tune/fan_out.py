"""Screening over several machines: each measures the kept plan, itself again and a share of the plans.

What is compared stays on one machine; only ratios of different machines, which are of one kind, are put in order.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Protocol

from hotloop.compare.series import AGAIN
from hotloop.errors import ClusterError
from hotloop.machine.kind import differences
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.tune.screening import KEPT, ScreeningResult, best_first, screen_again, screening_results
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, ScreeningUnit


class Machines(Protocol):
    """Machines of one kind, each of which measures one unit at a time."""

    @property
    def names(self) -> Sequence[str]:
        """Those that have not failed."""
        ...

    def measure(self, units: Mapping[str, ScreeningUnit]) -> Mapping[str, MeasuredUnit]:
        """What each machine measured of its unit, all at once. One that failed says so, and is not asked again."""
        ...


class FanOut:
    """`screen` and `screen_again` of a search, over several machines.

    What a machine that fails was to measure is measured on another. Raises ClusterError where none is left.
    """

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    @property
    def num_machines(self) -> int:
        """How many have not failed."""
        return len(self._machines.names)

    def screen(
        self,
        session: Session,
        kept: Plan,
        plans: Mapping[str, Plan],
        *,
        title: str,
        seconds: float,
        replicates: int = 1,
    ) -> tuple[ScreeningResult, ...]:
        """As `screening.screen`, every machine with a share of the plans."""
        session.watch_load()
        make = functools.partial(_unit, session, kept, seconds=seconds, replicates=replicates)
        waiting = _shares(plans, self.num_machines)
        results: list[ScreeningResult] = []
        while waiting:
            names = self._names()
            shares = dict(zip(names, waiting, strict=False))
            waiting = waiting[len(shares) :]
            measured = self._machines.measure({name: make(share) for name, share in shares.items()})
            for name, share in shares.items():
                found = measured[name]
                if found.failure:
                    session.note(f"{name} failed, and what it was to measure goes to another: {found.failure}")
                    self._last_failure = f"{name}: {found.failure}"
                    waiting.append(share)
                else:
                    results += _results(session, kept, share, found, title=f"{title}, on {name}")
        return best_first(results)

    def screen_again(
        self,
        session: Session,
        kept: Plan,
        results: Sequence[ScreeningResult],
        *,
        title: str,
        seconds: float,
        spare: float,
    ) -> tuple[ScreeningResult, ...]:
        """As `screening.screen_again`."""
        return screen_again(session, kept, results, title=title, seconds=seconds, spare=spare, screen_with=self.screen)

    _last_failure = ""

    def _names(self) -> Sequence[str]:
        if not self._machines.names:
            raise ClusterError(f"no machine is left to screen on; the last one failed: {self._last_failure}")
        return self._machines.names


def refusal(here: MachineDescription, there: MachineDescription) -> str:
    """Why another machine may not measure for this one, in words; empty where it may."""
    ours, theirs = here.environment, there.environment
    found = differences(ours, theirs)
    if found:
        return f"it is of another kind ({'; '.join(found)})"
    if here.program != there.program:
        return "the program's file is not there, or another: all machines must see the same folder at the same path"
    if (ours.git_revision, ours.git_dirty) != (theirs.git_revision, theirs.git_dirty):
        return f"the program's folder is at revision {theirs.git_revision or 'none'}, here at {ours.git_revision}"
    return ""


def _shares(plans: Mapping[str, Plan], count: int) -> list[dict[str, Plan]]:
    """The plans dealt out in turn: what is expected to gain most is spread over the machines."""
    names = list(plans)
    dealt = ([names[number] for number in range(start, len(names), max(1, count))] for start in range(max(1, count)))
    return [{name: plans[name] for name in share} for share in dealt if share]


def _unit(session: Session, kept: Plan, plans: Mapping[str, Plan], *, seconds: float, replicates: int) -> ScreeningUnit:
    settings = session.settings
    return ScreeningUnit(
        workload=session.workload,
        arms={KEPT: kept, AGAIN: kept, **plans},
        clock=session.clock,
        seconds=seconds,
        replicates=replicates,
        order_seed=session.order.getrandbits(32),
        variables=settings.variables,
        may_overwrite=settings.may_overwrite,
        first_step_limit=settings.first_step_limit,
        turn_limit=settings.turn_limit,
    )


def _results(
    session: Session, kept: Plan, plans: Mapping[str, Plan], measured: MeasuredUnit, *, title: str
) -> tuple[ScreeningResult, ...]:
    """Those of one unit, whose blocks are recorded under its own title."""
    series = session.series(title, {KEPT: kept, AGAIN: kept, **plans}, baseline=KEPT, clock=measured.clock)
    for replicate in measured.replicates:
        series.add(replicate)
    if measured.busy:
        session.note(
            f"{title}: other processes keep {measured.busy:.1f} cores busy there; it was measured with one thread"
        )
    if measured.memory_note:
        session.note(f"{title}: {measured.memory_note}")
    return screening_results(session, series, plans)
