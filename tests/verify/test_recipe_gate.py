"""Gate 1 on the recipes that ship, each in a process of its own."""

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome
from hotloop.verify.recipe_gate import check_recipe
from hotloop.worker.process import Settings
from hotloop.workload import Recipe

FUSED = Plan.from_data([{"name": "fused_optimizer"}])


@pytest.mark.parametrize(("name", "needed"), [("convnet", "torch"), ("portfolio", "torch"), ("panel", "polars")])
def test_a_harmless_plan_passes_on_recipes_that_ship(name, needed, tmp_path):
    pytest.importorskip(needed)
    verdict = check_recipe(Recipe(target=name, folder=tmp_path), FUSED, Settings(folder=tmp_path))
    assert verdict.outcome is Outcome.PASS, verdict.message


def test_batches_that_a_model_makes_by_chance_are_said_to_be_that(tmp_path):
    """The rollouts of ppo; they are made by a model that keeps its precision, also where the step is in fp64."""
    pytest.importorskip("gymnasium")
    verdict = check_recipe(Recipe(target="ppo", folder=tmp_path), FUSED, Settings(folder=tmp_path))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "two random seeds still give losses" in verdict.message
