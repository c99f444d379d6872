"""What a search has time for: what a screening costs is learnt from those before it, and confirming has its share."""

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from hotloop.compare.comparison import MINIMUM_REPLICATES
from hotloop.proof.session import Session

LONG = 480.0  # seconds: with less, what was not tried yet goes before measuring again what is in doubt
_FOR_CONFIRMING = 0.2
_MOST_FOR_CONFIRMING = 0.5
_SHARE_OF_A_SCREENING = 0.06
_CONFIRMED_ARMS = 3
_LENGTHS_OF_A_CONFIRMATION = 1.3  # of an arm that is confirmed, in those of one that is screened: it has a stretch too
_FOR_DOUBTS = 0.25
_BESIDE = 2  # arms of every screening: the kept plan, and itself again


@dataclass(kw_only=True)
class TimeBudget:
    """The time of one session, and what was left untried for want of it: at all, or on top of what was kept since.

    On programs that take seconds to start the processes cost more than the rounds, so that what a screening takes is
    proportional to its arms; `seconds_per_arm` is the most that one has taken so far, 0 before the first. Several
    machines screen side by side, each with at most `most_arms` changes beside the kept plan and its A/A arm.
    """

    session: Session
    most_arms: int
    num_machines: int = 1
    seconds_per_arm: float = 0.0
    untried: list[str] = field(default_factory=list[str])
    tried_before: list[str] = field(default_factory=list[str])

    @property
    def is_long(self) -> bool:
        """Whether each tier is screened by itself, and doubts are measured again."""
        return self.session.options.budget >= LONG

    @property
    def for_confirming(self) -> float:
        """Seconds that the search leaves: a fifth, and three replicates by what an arm was seen to take."""
        budget = self.session.options.budget
        needed = MINIMUM_REPLICATES * _CONFIRMED_ARMS * _LENGTHS_OF_A_CONFIRMATION * self.seconds_per_arm
        return max(_FOR_CONFIRMING * budget, min(_MOST_FOR_CONFIRMING * budget, needed))

    @property
    def for_rounds(self) -> float:
        """Seconds for the timed rounds of one screening."""
        return max(6.0, _SHARE_OF_A_SCREENING * self.session.options.budget)

    @property
    def for_doubts(self) -> float:
        """Seconds for measuring again what is in doubt after one screening."""
        return _FOR_DOUBTS * (self.session.left - self.for_confirming) if self.is_long else 0.0

    def learn(self, seconds: float, *, arms: int) -> None:
        """A screening of so many arms, of all replicates together, has taken so long."""
        self.seconds_per_arm = max(self.seconds_per_arm, seconds / arms)

    def arms_of(self, count: int) -> int:
        """Arms on one machine where so many changes are screened at once."""
        return math.ceil(count / self.num_machines) + _BESIDE

    def fitting(self, count: int, *, replicates: int = 1) -> int:
        """How many of so many changes can be screened at once, each beside the kept plan and its A/A arm."""
        left = self.session.left - self.for_confirming
        if left <= 0:
            return 0
        arms = left / replicates / self.seconds_per_arm if self.seconds_per_arm else math.inf
        return max(0, min(count, self.num_machines * int(min(self.most_arms, arms - _BESIDE))))

    def leave_untried(self, names: Iterable[str], *, tried: Container[str] = ()) -> None:
        """There was no time for these; those in `tried` were screened on an earlier plan."""
        for name in names:
            left = self.tried_before if name in tried else self.untried
            if name not in left:
                left.append(name)

    def note_untried(self) -> None:
        """What the budget was too short for, and about what it would take."""
        count = len(self.untried) + len(self.tried_before)
        if not count:
            return
        session = self.session
        screenings = -(-count // (self.num_machines * self.most_arms)) + 1  # and one for their combinations
        needed = (
            session.elapsed
            + screenings * self.for_rounds
            + (math.ceil(count / self.num_machines) + _BESIDE * screenings) * self.seconds_per_arm
            + self.for_confirming
        )
        minutes = math.ceil(max(needed, 1.2 * session.options.budget) / 60)
        left = {"not tried": self.untried, "not tried again on top of what was kept,": self.tried_before}
        told = [f"{how} for want of time: {', '.join(names)}" for how, names in left.items() if names]
        session.note(f"{'; '.join(told)}; a --budget of {minutes}m would do for them")
