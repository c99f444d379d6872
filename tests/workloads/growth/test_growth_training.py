"""Whole lives of slots, on real data."""

import math

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.errors import WorkloadError
from hotloop.workloads.growth.actions import WAIT, ActionSpace, GrowthAction
from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import GovernorOptions, GrowthOptions, PlateauOptions
from hotloop.workloads.growth.heuristic import HeuristicController, HeuristicOptions
from hotloop.workloads.growth.stages import FOLLOWING, SlotStage

GERMINATE = GrowthAction(operation="germinate", slot="b0", blueprint="conv_heavy", schedule="sigmoid")


def run(training, controller, epochs):
    for _ in range(epochs):
        training.epoch()
        training.apply(controller.decide(training.view()))


def heuristic(training, *blueprints):
    network = training.network
    space = ActionSpace(network.kind, network.slot_names, blueprints=blueprints)
    return HeuristicController(HeuristicOptions(first_epoch=1, plateau_epochs=1, rest_epochs=1), space)


EAGER_TO_GROW = PlateauOptions(stable_epochs=1, stable_share=0.9, stable_slack=0.9, plateau_gain=100.0)


def test_the_heuristic_keeps_a_seed_that_helps(begun, moves):
    training, records = begun(
        gates=GateLimits(improvement=-100.0, training_epochs=2), plateau=EAGER_TO_GROW, max_batches=8
    )
    run(training, heuristic(training, "conv_heavy"), 12)
    assert moves(records, "b0") == [
        ("dormant", "germinated"),
        ("germinated", "training"),
        ("training", "blending"),
        ("blending", "holding"),
        ("holding", "fossilized"),
    ]
    opened = [record["gate"] for record in records if record["type"] == "slot_gate_evaluated" and record["is_open"]]
    assert opened[:4] == ["G1", "G2", "G3", "G5"]
    contributions = [r["contribution"] for r in records if r["type"] == "slot_contribution" and r["stage"] == "holding"]
    assert contributions[-1] >= 1.0


def test_a_seed_that_does_nothing_is_taken_out_and_its_slot_opens_again(begun, moves):
    training, records = begun(plateau=EAGER_TO_GROW)
    run(training, heuristic(training, "noop"), 9)
    assert moves(records, "b0")[:6] == [
        ("dormant", "germinated"),
        ("germinated", "training"),
        ("training", "pruned"),
        ("pruned", "embargoed"),
        ("embargoed", "resetting"),
        ("resetting", "dormant"),
    ]
    shut = next(r for r in records if r["type"] == "slot_gate_evaluated" and r["gate"] == "G2")
    assert shut["reasons"] == ["gradient ratio not measured, needed 0"]


def test_every_move_is_one_that_the_table_allows_and_stages_agree_with_the_network(begun):
    training, records = begun()
    space = ActionSpace("cnn", training.network.slot_names)
    generator = torch.Generator().manual_seed(4)
    for _ in range(16):
        training.epoch()
        legal = space.legal(training.view().stages).nonzero().flatten()
        training.apply(space.actions[legal[torch.randint(len(legal), (), generator=generator)]])
        for name, life in training.keeper.lives.items():
            slot = training.network.slot(name)
            assert (slot.stage, slot.seed is None) == (life.stage, life.stage not in _WITH_SEED)
            assert slot.alpha.item() == pytest.approx(life.alpha)
        assert {group["part"] for group in training.optimizer.param_groups} <= {"host", "b0", "b1"}
    changed = [record for record in records if record["type"] == "slot_stage_changed"]
    assert len(changed) > 5
    assert all(SlotStage(record["stage_to"]) in FOLLOWING[SlotStage(record["stage_from"])] for record in changed)


_WITH_SEED = (SlotStage.GERMINATED, SlotStage.TRAINING, SlotStage.BLENDING, SlotStage.HOLDING, SlotStage.FOSSILIZED)


def test_refusals_are_told_with_their_reason_and_change_nothing(begun):
    training, records = begun()
    training.epoch()
    assert not training.apply(GrowthAction(operation="fossilize", slot="b0"))
    assert records[-1]["reasons"] == ["the slot is dormant, where nothing can fossilize"]
    assert training.apply(GERMINATE)
    assert not training.apply(GERMINATE)
    with pytest.raises(WorkloadError, match="there are b0, b1"):
        training.apply(GrowthAction(operation="prune", slot="b9"))


def test_growing_keeps_the_optimizer_s_state_of_what_was_there(begun):
    training, _ = begun()
    training.epoch()
    weight = training.network.host.blocks[0][1].weight
    before = training.optimizer.state[weight]["momentum_buffer"]
    kept = before.clone()
    training.apply(GERMINATE)
    assert training.optimizer.state[weight]["momentum_buffer"] is before
    training.epoch()
    training.apply(GrowthAction(operation="germinate", slot="b1", blueprint="depthwise", schedule="linear"))
    seed = training.network.slot("b0").seed.conv.weight
    assert training.optimizer.state[seed]["momentum_buffer"].abs().sum() > 0
    training.apply(GrowthAction(operation="prune", slot="b1"))
    assert seed in training.optimizer.state
    assert training.optimizer.state[weight]["momentum_buffer"] is before
    assert not before.equal(kept)


def test_a_noop_has_nothing_to_train_and_is_no_error(begun):
    training, _ = begun()
    training.epoch()
    training.apply(GrowthAction(operation="germinate", slot="b0", blueprint="noop", schedule="linear"))
    training.epoch()
    assert [group["part"] for group in training.optimizer.param_groups] == ["host"]


@pytest.mark.parametrize("epochs_before", range(9))
def test_a_run_that_goes_on_from_any_stage_ends_with_the_same_bits(begun, epochs_before):
    def drive(training, epochs):
        for _ in range(epochs):
            training.epoch()
            decided = {1: GERMINATE, 7: GrowthAction(operation="prune", slot="b0")}
            training.apply(decided.get(training.epochs_done, WAIT))

    whole, records = begun(max_batches=2)
    drive(whole, epochs_before)
    state = whole.state()
    stages = {record["stage_to"] for record in records if record["type"] == "slot_stage_changed"}
    drive(whole, 3)
    later, _ = begun(max_batches=2)
    drive(later, 2)  # whatever was there before
    later.restore_state(state)
    drive(later, 3)
    assert epochs_before != 4 or "blending" in stages
    first, second = whole.state(), later.state()
    assert first.data == second.data
    assert first.tensors.keys() == second.tensors.keys()
    assert all(first.tensors[name].equal(second.tensors[name]) for name in first.tensors)


def test_a_checkpoint_of_other_slots_is_refused(begun):
    training, other = begun()[0], begun(slots=(0, 2))[0]
    with pytest.raises(WorkloadError, match="options it began with"):
        other.restore_state(training.state())


def test_the_governor_undoes_an_epoch_of_nan_and_prunes_what_was_alive(begun, moves):
    training, records = begun(governor=GovernorOptions())
    training.epoch()
    training.apply(GERMINATE)
    training.epoch()
    good = training.network.host.head[2].weight.clone()
    with torch.no_grad():
        training.network.host.head[2].weight[0, 0] = math.nan
    training.epoch()
    assert training.network.host.head[2].weight.equal(good)
    rolled = next(record for record in records if record["type"] == "governor_rolled_back")
    assert (rolled["to_epoch"], rolled["pruned"], rolled["epoch"]) == (2, ["b0"], 3)
    assert "losses were nan" in rolled["reason"]
    assert moves(records, "b0")[-1] == ("blending", "pruned")
    assert training.epochs_done == 3
    assert math.isfinite(training.epoch().validation.loss)


def test_without_a_governor_nan_stays(begun):
    training, records = begun(governor=None)
    training.epoch()
    with torch.no_grad():
        training.network.host.head[2].weight[0, 0] = math.nan
    assert math.isnan(training.epoch().train_loss)
    assert not any(record["type"] == "governor_rolled_back" for record in records)


def test_a_transformer_goes_through_a_life_on_real_text(begun, english, moves):
    training, records = begun(english, max_batches=4, optimizer="adamw", lr=2e-3, seed_lr=2e-3)
    for epoch in range(7):
        training.epoch()
        if epoch == 0:
            training.apply(GrowthAction(operation="germinate", slot="b0", blueprint="mlp", schedule="gated"))
    assert [to for _, to in moves(records, "b0")][:4] == ["germinated", "training", "blending", "holding"]
    losses = [record["validation_loss"] for record in records if record["type"] == "epoch_ended"]
    assert losses[-1] < losses[0] < english.chance_loss


READS = {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "tolist", "numpy", "cpu"}


class Dispatched(TorchDispatchMode):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in READS:
            self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in READS:
            self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("stage", [SlotStage.DORMANT, SlotStage.TRAINING, SlotStage.BLENDING])
def test_an_epoch_reads_the_device_once_a_phase_and_never_in_the_loop(begun, stage):
    training, _ = begun(governor=None)
    training.epoch()
    if stage is not SlotStage.DORMANT:
        training.apply(GERMINATE)
    while training.keeper.lives["b0"].stage is not stage:
        training.epoch()
    training.epoch()  # all batches of both phases are there
    seen = []
    with Called(seen), Dispatched(seen):
        training.epoch()
    assert [name for name in seen if name != "_local_scalar_dense"] == ["tolist", "tolist"]


def test_options_are_checked_when_they_are_made():
    with pytest.raises(ValueError, match="max_batches"):
        GrowthOptions(max_batches=0)
