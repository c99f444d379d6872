"""Coordinate ascent on the plan that is kept so far, with ladders, a second pass, and leave-one-out.

A contest races every open change alone on top of what is kept. Those that gain are then stacked, best first, and the
rungs of that ladder are raced: two that win alone can lose together. The best rung that passes the gates is kept.
With eight minutes or more, a change whose gain is in doubt is raced in up to two heats more.
Before anything is compiled, and again at the end, whatever was rejected is raced again on top of the plan, as long as
something is kept: a change that loses alone can win on top of another (an allocator once bf16 has made the rest short).
What was slower by more than a tenth is not raced again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hotloop.proof.prove import verified
from hotloop.proof.session import Session
from hotloop.transform import Plan, Transform, describe
from hotloop.trial import Trial
from hotloop.tune.candidates import Candidates
from hotloop.tune.screening import Contender, hold_contest, look_again
from hotloop.verdict import Verdict
from hotloop.verify.drift import Answer

_FOR_CONFIRMING = 0.2
_SHARE_OF_A_CONTEST = 0.06
_WORTH_ITS_PLACE = 0.995
_ROOM_FOR_DOUBTS = 480.0  # seconds: a shorter budget is better spent on what was not tried yet
_FOR_DOUBTS = 0.25  # of what is left beside confirming, for second looks at the doubtful of one contest
_LAUNCH_HEATS = 2  # how a process starts decides where its memory lands: one heat under glibc's malloc misled
_HOPELESS = 0.9
_RUNGS = 4
_FIELD = 8  # plans of one contest beside the kept one: each is a process with the whole program in memory


@dataclass(kw_only=True)
class Search:
    """The state of one search: what is kept, what its gates said, and what need not be tried again.

    `hold` races plans, `again` those in doubt once more, and `verify` asks the gates; they are fields so that a search
    can be tried without a machine.
    """

    session: Session
    hold: Callable[..., tuple[Contender, ...]] = hold_contest
    again: Callable[..., tuple[Contender, ...]] = look_again
    verify: Callable[[Session, Plan], Answer] = verified
    plan: Plan = field(default_factory=Plan)
    answer: Answer | None = None
    settled: set[str] = field(default_factory=set[str])
    raced: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    longest_contest: float = 0.0

    def run(self, candidates: Candidates) -> Plan:
        """The kept plan after all tiers, a second pass over the rejected, and leave-one-out."""
        launch, cheap, compiling, variants = map(
            self._possible, (candidates.launch, candidates.cheap, candidates.compiling, candidates.variants)
        )
        self._climb("how the process starts", launch, heats=_LAUNCH_HEATS)
        self._climb("cheap changes", cheap)
        self._climb_again(*launch, *cheap)
        self._climb("changes that compile", compiling)
        self._climb("other ways to compile", variants, replacing=True)
        self._climb_again(*launch, *cheap, *compiling)
        self._leave_one_out()
        return self.plan

    def _climb_again(self, *changes: Transform) -> None:
        while self._climb("second pass over the rejected", changes):
            pass

    def _possible(self, tier: Sequence[Transform]) -> tuple[Transform, ...]:
        possible: list[Transform] = []
        for change in tier:
            refusal = self.session.applicability(change)
            if refusal is None:
                possible.append(change)
            else:
                self._refuse(describe(change), self.plan.with_(change), refusal)
        return tuple(possible)

    def _climb(self, title: str, changes: Sequence[Transform], *, heats: int = 1, replacing: bool = False) -> bool:
        """Contest, ladder, verify, keep the best; whether anything was kept.

        At most eight are raced at once; the next eight follow on the same plan if none of these was kept.
        With `replacing`, other options of what is kept are raced as well, in its place.
        """
        open_ = self._open(changes, replacing=replacing)
        if not open_ or not self._affordable(map(describe, open_)):
            return False
        open_ = open_[:_FIELD]
        contest = self._contest(title, {describe(change): self.plan.with_(change) for change in open_}, heats=heats)
        winners = self._winners(contest, open_)
        while winners:
            if self._keep_best(self._ladder(f"{title}, stacked", winners)):
                return True
            refused, *winners = winners  # it stood on every rung, and none passed: try without it
            self.settled.add(describe(refused[0]))
        return self._climb(title, changes, heats=heats, replacing=replacing)

    def _open(self, changes: Sequence[Transform], *, replacing: bool) -> tuple[Transform, ...]:
        """Those not kept, not settled, and not yet raced on top of this very plan."""
        kept = set[str]() if replacing else {transform.name for transform in self.plan.transforms}
        open_ = (c for c in changes if c.name not in kept and describe(c) not in self.settled)
        return tuple(c for c in open_ if (self.plan.title, describe(c)) not in self.raced)

    def _affordable(self, names: Iterable[str]) -> bool:
        session = self.session
        if session.left - self.longest_contest > _FOR_CONFIRMING * session.options.budget:
            return True
        tried = ", ".join(names)
        session.note(f"not tried for want of time: {tried}; give a larger --budget than {session.options.budget:.0f} s")
        return False

    def _contest(self, title: str, plans: Mapping[str, Plan], *, heats: int = 1) -> tuple[Contender, ...]:
        session = self.session
        session.progress.say(f"{title}: {', '.join(plans)}")
        began = session.elapsed
        share = max(6.0, _SHARE_OF_A_CONTEST * session.options.budget)
        contest = self.hold(session, self.plan, plans, title=title, seconds=share, heats=heats)
        self.longest_contest = max(self.longest_contest, session.elapsed - began)
        if session.options.budget >= _ROOM_FOR_DOUBTS:
            spare = _FOR_DOUBTS * (session.left - _FOR_CONFIRMING * session.options.budget)
            contest = self.again(session, self.plan, contest, title=title, seconds=share, spare=spare)
        for contender in contest:
            self.raced.add((self.plan.title, contender.name))
            if contender.failure is not None:
                self._refuse(contender.name, contender.plan, contender.failure)
            elif not contender.is_promising:
                self._record(contender, kept=False, reason=_rejection(contender))
                if contender.gain is not None and contender.gain.high < _HOPELESS:
                    self.settled.add(contender.name)
        return contest

    def _winners(self, contest: Sequence[Contender], open_: Sequence[Transform]) -> list[tuple[Transform, Contender]]:
        """The promising ones, best first, one of each name."""
        changes = {describe(change): change for change in open_}
        winners: dict[str, tuple[Transform, Contender]] = {}
        for contender in contest:
            change = changes[contender.name]
            if contender.is_promising and change.name not in winners:
                winners[change.name] = (change, contender)
            elif contender.is_promising:
                reason = f"{_ratio(contender)}, and another {change.name} gained more"
                self._record(contender, kept=False, reason=reason)
        return list(winners.values())

    def _ladder(self, title: str, winners: Sequence[tuple[Transform, Contender]]) -> list[Contender]:
        """Stacks of the winners, highest gain first: the first, the first two, the first three, ..."""
        if len(winners) < 2:
            return [contender for _, contender in winners]
        rungs: dict[str, Plan] = {}
        plan = self.plan
        for change, _ in winners[:_RUNGS]:
            plan = plan.with_(change)
            rungs[" + ".join(describe(t) for t in plan.transforms if t not in self.plan.transforms)] = plan
        if not self._affordable(rungs):
            return [winners[0][1]]
        return [contender for contender in self._contest(title, rungs) if contender.is_promising]

    def _keep_best(self, rungs: Sequence[Contender]) -> bool:
        """Verify from the best downwards and keep the first that passes; whether there was one."""
        for contender in rungs:
            answer = self.verify(self.session, contender.plan)
            kept = all(verdict.passed for verdict in answer.verdicts)
            self._record(contender, kept=kept, reason=_gates(answer, kept=kept), verdicts=answer.verdicts)
            if kept:
                self.plan, self.answer = contender.plan, answer
                return True
            self.settled.add(contender.name)
        return False

    def _leave_one_out(self) -> None:
        """Drop what the rest of the plan made useless, the most useless first, while the budget lasts."""
        while len(self.plan.transforms) > 1 and self._affordable(["leaving one out"]):
            smaller = {f"without {t.name}": self.plan.without(t.name) for t in self.plan.transforms}
            self.session.progress.say(f"leave one out of {self.plan.title}")
            share = max(6.0, _SHARE_OF_A_CONTEST * self.session.options.budget)
            best, *_ = self.hold(self.session, self.plan, smaller, title="leave one out", seconds=share)
            if best.gain is None or best.gain.median <= _WORTH_ITS_PLACE:
                return
            answer = self.verify(self.session, best.plan)
            if not all(verdict.passed for verdict in answer.verdicts):
                return
            self._record(best, kept=True, reason="as fast without it", verdicts=answer.verdicts)
            self.plan, self.answer = best.plan, answer

    def _refuse(self, name: str, plan: Plan, verdict: Verdict) -> None:
        self.settled.add(name)
        contender = Contender(name=name, plan=plan, failure=verdict)
        self._record(contender, kept=False, reason=verdict.message, verdicts=(verdict,))

    def _record(self, contender: Contender, *, kept: bool, reason: str, verdicts: tuple[Verdict, ...] = ()) -> None:
        self.session.add(
            Trial(
                plan=tuple(contender.plan.to_data()),
                title=contender.plan.title,
                change=contender.name,
                against=self.plan.title,
                kept=kept,
                reason=reason,
                speedup=contender.gain,
                verdicts=verdicts,
                startup_seconds=contender.startup or None,
                pairs=1 if contender.gain else 0,
            )
        )


def _ratio(contender: Contender) -> str:
    return f"{contender.gain.median:.2f}x" if contender.gain else "not measured"


def _rejection(contender: Contender) -> str:
    slower = contender.gain is not None and contender.gain.high < 1
    return f"slower: {_ratio(contender)}" if slower else f"no gain shown: {_ratio(contender)} is inside the noise"


def _gates(answer: Answer, *, kept: bool) -> str:
    if kept:
        return "faster, and trains the same model"
    return "; ".join(f"gate {v.gate}: {v.message}" for v in answer.verdicts if not v.passed)
