import math
from itertools import pairwise

import pytest

from hotloop.workloads.growth.growth_view import GrowthView, SlotView
from hotloop.workloads.growth.reward import attribution, potential, rent, reward, shaping
from hotloop.workloads.growth.stages import SlotStage

LIFE = (
    [(SlotStage.DORMANT, 1), (SlotStage.GERMINATED, 0)]
    + [(SlotStage.TRAINING, n) for n in range(9)]
    + [(SlotStage.BLENDING, n) for n in range(3)]
    + [(SlotStage.HOLDING, n) for n in range(2)]
    + [(SlotStage.FOSSILIZED, n) for n in range(4)]
)


def slot(stage=SlotStage.DORMANT, epochs=0, **changes):
    given = {
        "stage_improvement": 0.0,
        "total_improvement": 0.0,
        "contribution": math.nan,
        "gradient_ratio": math.nan,
        "seed_parameters": 0,
        "blueprint": "",
    }
    return SlotView(stage=stage, epochs_in_stage=epochs, alpha=0.0, **{**given, **changes})


def view(*slots, **changes):
    given = {"epoch": 3, "epochs": 10, "accuracy": 80.0, "accuracy_change": 1.0, "best_accuracy": 80.0}
    return GrowthView(
        **{**given, **changes},
        train_loss=0.5,
        validation_loss=0.5,
        plateau_epochs=0,
        is_stabilized=False,
        host_parameters=100,
        slots={f"b{index}": one for index, one in enumerate(slots)},
    )


@pytest.mark.parametrize("gamma", [0.9, 0.995, 1.0])
def test_the_shaping_of_an_episode_telescopes(gamma):
    views = [view(slot(stage, epochs), slot(SlotStage.TRAINING, 2)) for stage, epochs in LIFE]
    total = sum(
        gamma**step * shaping(before, after, gamma=gamma, is_last=False)
        for step, (before, after) in enumerate(pairwise(views))
    )
    steps = len(views) - 1
    assert total == pytest.approx(0.3 * (gamma**steps * potential(views[-1]) - potential(views[0])))


def test_the_last_step_pays_back_what_shaping_gave():
    last = view(slot(SlotStage.FOSSILIZED, 4))
    assert shaping(last, last, gamma=0.9, is_last=True) == pytest.approx(-0.3 * potential(last))


@pytest.mark.parametrize(
    ("stage", "contribution", "progress", "expected"),
    [
        (SlotStage.HOLDING, -2.0, 5.0, -2.0),
        (SlotStage.HOLDING, 3.0, -1.0, 0.0),
        (SlotStage.BLENDING, 9.0, 4.0, 6.0),
        (SlotStage.BLENDING, 2.0, 4.0, 2.0),
        (SlotStage.HOLDING, math.nan, 4.0, 0.0),
        (SlotStage.TRAINING, math.nan, 4.0, 0.6),
        (SlotStage.DORMANT, math.nan, 4.0, 0.0),
    ],
)
def test_a_seed_is_credited_with_no_more_than_progress_allows(stage, contribution, progress, expected):
    found = attribution(slot(stage, contribution=contribution, total_improvement=progress), 2.0)
    assert found == pytest.approx(expected)


def test_rent_grows_with_the_parameters_and_is_bounded():
    assert rent(view(slot())) == 0.0
    assert rent(view(slot(seed_parameters=100))) == pytest.approx(0.5 * math.log(2.0))
    assert rent(view(slot(seed_parameters=10**12))) == 8.0


def test_the_sparse_reward_comes_at_the_end_alone():
    before, after = view(slot()), view(slot(seed_parameters=100))
    assert reward("sparse", before, "wait", after, gamma=0.9, is_last=False).total == 0.0
    last = reward("sparse", before, "wait", after, gamma=0.9, is_last=True)
    assert last.total == pytest.approx(0.05 * 80.0 - 0.5 * math.log(2.0))


@pytest.mark.parametrize(("kind", "share"), [("sparse", 1.0), ("shaped", 0.1)])
def test_rent_is_that_of_the_network_whose_accuracy_it_is(kind, share):
    before, after = view(slot(seed_parameters=100)), view(slot(SlotStage.PRUNED))
    last = reward(kind, before, "wait", after, gamma=0.9, is_last=True, grown=100)
    assert last.rent == pytest.approx(share * 0.5 * math.log(2.0))


def test_the_shaped_reward_is_the_sum_of_its_parts():
    before, after = view(slot(SlotStage.HOLDING, 1)), view(slot(SlotStage.FOSSILIZED, 0, seed_parameters=50))
    found = reward("shaped", before, "fossilize", after, gamma=0.9, is_last=True)
    assert found.terminal == pytest.approx(0.05 * 80.0 + 3.0)
    assert found.cost == 0.01
    assert found.total == pytest.approx(found.attribution + found.shaping - found.rent - found.cost + found.terminal)
