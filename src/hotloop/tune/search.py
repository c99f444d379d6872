"""A greedy search on the plan that is kept so far, with combinations, a second pass, and leave-one-out.

A screening measures every open change alone on top of what is kept. Those that gain are then combined, best first, and
the combinations are screened: two that win alone can lose together. The best combination that passes the gates is kept;
where there is no time to screen any, the largest is taken as it is.
With eight minutes or more, a change whose gain is in doubt is measured in up to two replicates more; with less, how the
process starts and what is cheap are screened together, once, the first options of each change before its others.
Before anything is compiled, and again at the end, whatever was rejected is screened again on top of the plan, as long
as something is kept: a change that loses alone can win on top of another (an allocator once bf16 has made the rest
short). What was worse by more than a tenth, or without any sign of a gain on two plans, is not screened again. Programs
that by the diagnosis spend most of a step on memory traffic or calls are compiled before that. What counts as a gain is
the objective's; where that is memory, the steps of the whole plan may take half as long again as those of the
untransformed program.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hotloop.objective import MOST_SLOWDOWN, Objective
from hotloop.proof.confirm import Confirmation
from hotloop.proof.confirm_learning import confirm_learning
from hotloop.proof.prove import verified
from hotloop.proof.session import Session
from hotloop.transform import Plan, Stage, Transform, describe
from hotloop.trial import Trial
from hotloop.tune.candidates import Candidates
from hotloop.tune.reasons import kept_reason, rejection, without_reason
from hotloop.tune.screening import ScreeningResult, screen, screen_again
from hotloop.tune.time_budget import TimeBudget
from hotloop.verdict import Verdict
from hotloop.verify.gate_result import GateResult

_WORTH_ITS_PLACE = 0.995
_LAUNCH_REPLICATES = 2  # how a process starts decides where its memory lands: one under glibc's malloc misled
_SEEDS_OF_THE_SEARCH = 1000  # other seeds than those that the claim is confirmed on
_MOST_COMBINED = 4
_MOST_ARMS = 8  # beside the kept plan and its A/A arm: each is a process with the whole program in memory


@dataclass(kw_only=True)
class Search:
    """The state of one search: what is kept, what its gates said, and what need not be tried again.

    A change in `gained_nothing` showed no sign of a gain once, and one in `excluded` is out for good.
    `screen` measures plans, `screen_again` those in doubt once more, `verify` asks the gates, and `learn` how soon a
    plan that trains otherwise reaches a loss; they are fields so that a search can be tried without a machine, or over
    `num_machines`. `speed` is that of the kept plan beside the untransformed program, as far as screenings tell.
    """

    session: Session
    screen: Callable[..., tuple[ScreeningResult, ...]] = screen
    screen_again: Callable[..., tuple[ScreeningResult, ...]] = screen_again
    verify: Callable[[Session, Plan], GateResult] = verified
    learn: Callable[..., tuple[Verdict, Confirmation]] = confirm_learning
    num_machines: int = 1
    plan: Plan = field(default_factory=Plan)
    gates: GateResult | None = None
    excluded: set[str] = field(default_factory=set[str])
    gained_nothing: set[str] = field(default_factory=set[str])
    tried: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    speed: float = 1.0

    @functools.cached_property
    def time(self) -> TimeBudget:
        """What there is time for."""
        return TimeBudget(session=self.session, most_arms=_MOST_ARMS, num_machines=self.num_machines)

    def run(self, candidates: Candidates) -> Plan:
        """The kept plan after all tiers, a second pass over the rejected, and leave-one-out."""
        uncompiled, compiling, variants = map(
            self._applicable, (candidates.uncompiled, candidates.compiling, candidates.variants)
        )
        if self.time.is_long:
            launch = tuple(change for change in uncompiled if change.stage is Stage.LAUNCH)
            self._greedy_pass("how the process starts", launch, replicates=_LAUNCH_REPLICATES)
            self._greedy_pass("cheap changes", tuple(change for change in uncompiled if change not in launch))
        else:
            self._greedy_pass("how the process starts, and cheap changes", _first_options_first(uncompiled))
        if candidates.compiles_first:
            self._greedy_pass("changes that compile", compiling)
            self._second_pass(*uncompiled)
        else:
            self._second_pass(*uncompiled)
            self._greedy_pass("changes that compile", compiling)
        self._greedy_pass("other ways to compile", variants, replacing=True)
        self._second_pass(*uncompiled, *compiling)
        self._leave_one_out()
        for change in self._applicable(candidates.statistical):
            self._try_statistical(change)
        self.time.note_untried()
        return self.plan

    def _second_pass(self, *changes: Transform) -> None:
        while self._greedy_pass("second pass over the rejected", changes):
            pass

    def _applicable(self, tier: Sequence[Transform]) -> tuple[Transform, ...]:
        applicable: list[Transform] = []
        for change in tier:
            refusal = self.session.applicability(change)
            if refusal is None:
                applicable.append(change)
            else:
                self._refuse(describe(change), self.plan.with_(change), refusal)
        return tuple(applicable)

    def _greedy_pass(
        self, title: str, changes: Sequence[Transform], *, replicates: int = 1, replacing: bool = False
    ) -> bool:
        """Screen, combine, verify, keep the best; whether anything was kept.

        As many as there is time for, at most eight a machine, are screened at once; the next follow on the same plan if
        none of these was kept.
        With `replacing`, other options of what is kept are screened as well, in its place.
        """
        open_ = self._open(changes, replacing=replacing)
        fitting = self.time.fitting(len(open_), replicates=replicates)
        if not fitting:
            self.time.leave_untried(map(describe, open_), tried={name for _, name in self.tried})
            return False
        open_ = open_[:fitting]
        plans = {describe(change): self.plan.with_(change) for change in open_}
        winners = self._winners(self._screen(title, plans, replicates=replicates), open_)
        while winners:
            if self._keep_best(self._combine(f"{title}, combined", winners)):
                return True
            refused, *winners = winners  # it was part of every combination, and none passed: try without it
            self.excluded.add(describe(refused[0]))
        return self._greedy_pass(title, changes, replicates=replicates, replacing=replacing)

    def _open(self, changes: Sequence[Transform], *, replacing: bool) -> tuple[Transform, ...]:
        """Those not kept, not excluded, and not yet tried on top of this very plan."""
        kept = set[str]() if replacing else {transform.name for transform in self.plan.transforms}
        open_ = (c for c in changes if c.name not in kept and describe(c) not in self.excluded)
        return tuple(c for c in open_ if (self.plan.title, describe(c)) not in self.tried)

    def _screen(self, title: str, plans: Mapping[str, Plan], *, replicates: int = 1) -> tuple[ScreeningResult, ...]:
        session = self.session
        session.progress.say(f"{title}: {', '.join(plans)}")
        began = session.elapsed
        share = self.time.for_rounds
        results = self.screen(session, self.plan, plans, title=title, seconds=share, replicates=replicates)
        self.time.learn(session.elapsed - began, arms=self.time.arms_of(len(plans)) * replicates)
        if self.time.is_long:
            spare = self.time.for_doubts
            results = self.screen_again(session, self.plan, results, title=title, seconds=share, spare=spare)
        for result in results:
            self.tried.add((self.plan.title, result.name))
            if result.failure is not None:
                self._refuse(result.name, result.plan, result.failure)
            elif not self._is_promising(result):
                self._record(result, kept=False, reason=rejection(result))
                if result.is_hopeless or (not result.is_doubtful and result.name in self.gained_nothing):
                    self.excluded.add(result.name)
                elif not result.is_doubtful:
                    self.gained_nothing.add(result.name)
        return results

    def _is_promising(self, result: ScreeningResult) -> bool:
        return result.is_promising and self._is_fast_enough(result)

    def _is_fast_enough(self, result: ScreeningResult) -> bool:
        """Whether a plan that is to save memory stays as fast as it must be beside the untransformed program."""
        return result.objective is not Objective.MEMORY or result.ratio * self.speed >= 1 / MOST_SLOWDOWN

    def _winners(
        self, results: Sequence[ScreeningResult], open_: Sequence[Transform]
    ) -> list[tuple[Transform, ScreeningResult]]:
        """The promising ones, best first, one of each name."""
        changes = {describe(change): change for change in open_}
        winners: dict[str, tuple[Transform, ScreeningResult]] = {}
        for result in results:
            change = changes[result.name]
            if not self._is_promising(result):
                continue
            if change.name not in winners:
                winners[change.name] = (change, result)
            else:
                self._record(result, kept=False, reason=f"another {change.name} gained more")
        return list(winners.values())

    def _combine(self, title: str, winners: Sequence[tuple[Transform, ScreeningResult]]) -> list[ScreeningResult]:
        """Combinations of the winners, highest gain first: the first, the first two, the first three, ..."""
        if len(winners) < 2:
            return [result for _, result in winners]
        combinations: dict[str, Plan] = {}
        plan = self.plan
        for change, _ in winners[:_MOST_COMBINED]:
            plan = plan.with_(change)
            combinations[" + ".join(describe(t) for t in plan.transforms if t not in self.plan.transforms)] = plan
        fitting = self.time.fitting(len(combinations))
        if not fitting:
            return [*self._unmeasured(combinations), winners[0][1]]
        largest = dict(list(combinations.items())[-fitting:])
        return [result for result in self._screen(title, largest) if self._is_promising(result)]

    def _unmeasured(self, combinations: Mapping[str, Plan]) -> list[ScreeningResult]:
        """The largest combination, for whose screening there is no time: its speed is told by the confirmation alone.

        Nothing where memory counts, since a plan may there become too slow, which the search has to know.
        """
        if self.session.options.objective is not Objective.THROUGHPUT:
            return []
        name, plan = list(combinations.items())[-1]
        return [ScreeningResult(name=name, plan=plan)]

    def _keep_best(self, results: Sequence[ScreeningResult]) -> bool:
        """Verify from the best downwards and keep the first that passes; whether there was one."""
        for result in results:
            gates = self.verify(self.session, result.plan)
            kept = all(verdict.passed for verdict in gates.verdicts)
            reason = kept_reason(result) if kept else _refusal(gates)
            self._record(result, kept=kept, reason=reason, verdicts=gates.verdicts)
            if kept:
                self.plan, self.gates = result.plan, gates
                self.speed *= result.ratio or 1.0
                return True
            self.excluded.add(result.name)
        return False

    def _leave_one_out(self) -> None:
        """Drop what the rest of the plan made useless, the most useless first, while the budget lasts."""
        while len(self.plan.transforms) > 1:
            if self.time.fitting(len(self.plan.transforms)) < len(self.plan.transforms):
                self.time.leave_untried(["leaving one out"])
                return
            smaller = {f"without {t.name}": self.plan.without(t.name) for t in self.plan.transforms}
            self.session.progress.say(f"leave one out of {self.plan.title}")
            best, *_ = self.screen(
                self.session, self.plan, smaller, title="leave one out", seconds=self.time.for_rounds
            )
            if best.merit_ratio <= _WORTH_ITS_PLACE or not self._is_fast_enough(best):
                return
            gates = self.verify(self.session, best.plan)
            if not all(verdict.passed for verdict in gates.verdicts):
                return
            self._record(best, kept=True, reason=without_reason(best), verdicts=gates.verdicts)
            self.plan, self.gates = best.plan, gates
            self.speed *= best.ratio

    def _try_statistical(self, change: Transform) -> None:
        """Keep it where the gates pass and it reaches a target loss sooner; the time of its steps says nothing."""
        plan, seconds = self.plan.with_(change), (self.session.left - self.time.for_confirming) / 2
        if seconds <= 0:
            self.time.leave_untried([describe(change)])
            return
        gates = self.verify(self.session, plan)
        result = ScreeningResult(name=describe(change), plan=plan)
        if all(verdict.passed for verdict in gates.verdicts):
            parity, found = self.learn(
                self.session, plan, title=describe(change), seconds=seconds, first_seed=_SEEDS_OF_THE_SEARCH
            )
            gates = replace(gates, verdicts=(*gates.verdicts, parity, *filter(None, (found.verdict,))))
        kept = all(verdict.passed for verdict in gates.verdicts)
        reason = "reaches the loss sooner" if kept else _refusal(gates)
        self._record(result, kept=kept, reason=reason, verdicts=gates.verdicts)
        if kept:
            self.plan, self.gates = plan, replace(gates, verdicts=gates.verdicts[:-2])

    def _refuse(self, name: str, plan: Plan, verdict: Verdict) -> None:
        self.excluded.add(name)
        result = ScreeningResult(name=name, plan=plan, failure=verdict)
        self._record(result, kept=False, reason=verdict.message, verdicts=(verdict,))

    def _record(self, result: ScreeningResult, *, kept: bool, reason: str, verdicts: tuple[Verdict, ...] = ()) -> None:
        self.session.add(
            Trial(
                plan=tuple(result.plan.to_data()),
                title=result.plan.title,
                change=result.name,
                against=self.plan.title,
                kept=kept,
                reason=reason,
                speedup=result.interval,
                verdicts=verdicts,
                startup_seconds=result.startup or None,
                replicates=result.gain.replicates if result.gain else 0,
                memory=result.memory,
                memory_ratio=result.memory_interval,
            )
        )


def _first_options_first(changes: Sequence[Transform]) -> tuple[Transform, ...]:
    """The first options of each change, then the second ones, and so on: options of one change gain alike."""
    numbers: dict[str, int] = {}
    placed: list[tuple[int, Transform]] = []
    for change in changes:
        numbers[change.name] = numbers.get(change.name, -1) + 1
        placed.append((numbers[change.name], change))
    return tuple(change for _, change in sorted(placed, key=lambda place: place[0]))


def _refusal(gates: GateResult) -> str:
    return "; ".join(f"gate {v.gate}: {v.message}" for v in gates.verdicts if not v.passed)
