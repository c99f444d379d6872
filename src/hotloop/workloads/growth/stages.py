"""The nine stages of a slot, and which may follow which."""

from enum import StrEnum


class SlotStage(StrEnum):
    """Where the seed of a slot stands; without one, why there is none."""

    DORMANT = "dormant"  # empty
    GERMINATED = "germinated"  # a seed was made, and does nothing yet
    TRAINING = "training"  # it learns beside the host, whose output it leaves as it is
    BLENDING = "blending"  # it takes part, more each epoch
    HOLDING = "holding"  # it takes part wholly, on probation
    FOSSILIZED = "fossilized"  # it stays for good
    PRUNED = "pruned"  # it was taken out
    EMBARGOED = "embargoed"  # nothing may grow here for a while
    RESETTING = "resetting"  # the last epoch before the slot is empty again


FOLLOWING: dict[SlotStage, frozenset[SlotStage]] = {
    SlotStage.DORMANT: frozenset({SlotStage.GERMINATED}),
    SlotStage.GERMINATED: frozenset({SlotStage.TRAINING, SlotStage.PRUNED}),
    SlotStage.TRAINING: frozenset({SlotStage.BLENDING, SlotStage.PRUNED}),
    SlotStage.BLENDING: frozenset({SlotStage.HOLDING, SlotStage.PRUNED}),
    SlotStage.HOLDING: frozenset({SlotStage.FOSSILIZED, SlotStage.PRUNED}),
    SlotStage.FOSSILIZED: frozenset(),
    SlotStage.PRUNED: frozenset({SlotStage.EMBARGOED}),
    SlotStage.EMBARGOED: frozenset({SlotStage.RESETTING}),
    SlotStage.RESETTING: frozenset({SlotStage.DORMANT}),
}
ALIVE = frozenset({SlotStage.GERMINATED, SlotStage.TRAINING, SlotStage.BLENDING, SlotStage.HOLDING})
TAKES_PART = frozenset({SlotStage.BLENDING, SlotStage.HOLDING, SlotStage.FOSSILIZED})
