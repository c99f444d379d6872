import pytest

from hotloop import registry
from hotloop.errors import WorkloadError
from hotloop.workloads.growth.actions import OPERATIONS, WAIT, ActionSpace, GrowthAction
from hotloop.workloads.growth.alpha_schedules import SCHEDULES
from hotloop.workloads.growth.stages import SlotStage


@pytest.mark.parametrize("host", ["cnn", "transformer"])
def test_every_registered_blueprint_of_a_host_can_be_chosen_and_no_other(host):
    space = ActionSpace(host, ("b0", "b1"))
    chosen = {action.blueprint for action in space.actions if action.blueprint}
    every = {name: registry.load("blueprints", name) for name in registry.names("blueprints")}
    assert chosen == {name for name, blueprint in every.items() if host in blueprint.hosts}
    assert all(blueprint.name == name for name, blueprint in every.items())
    assert len(space) == 1 + 2 * (len(chosen) * len(SCHEDULES) + len(OPERATIONS) - 2)


def test_numbers_and_actions_belong_to_each_other():
    space = ActionSpace("cnn", ("b0",))
    assert [space.number(action) for action in space.actions] == list(range(len(space)))
    with pytest.raises(WorkloadError, match="choose from those"):
        space.number(GrowthAction(operation="germinate", slot="b0", blueprint="mlp", schedule="linear"))


def test_a_blueprint_of_another_host_is_refused():
    with pytest.raises(WorkloadError, match="got the blueprints mlp; for hosts of kind 'cnn' there are conv_heavy"):
        ActionSpace("cnn", ("b0",), blueprints=("mlp", "norm"))


@pytest.mark.parametrize("stage", SlotStage)
def test_what_is_legal_follows_from_the_stage(stage):
    space = ActionSpace("cnn", ("b0",), blueprints=("noop",))
    legal = space.legal({"b0": stage})
    operations = {action.operation for action, may in zip(space.actions, legal.tolist(), strict=True) if may}
    expected = {"wait"}
    if stage is SlotStage.DORMANT:
        expected |= {"germinate"}
    if stage in ("germinated", "training", "blending", "holding"):
        expected |= {"prune"}
    if stage is SlotStage.HOLDING:
        expected |= {"fossilize"}
    assert operations == expected
    assert space.actions[0] == WAIT
