"""Gate 1 on the recipes that ship, each in a process of its own."""

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome
from hotloop.verify.recipe_gate import check_recipe
from hotloop.worker.process import Settings
from hotloop.workload import Recipe

FUSED = Plan.from_data([{"name": "fused_optimizer"}])
RECIPES = {"convnet": None, "portfolio": None, "ppo": "gymnasium", "panel": "polars"}


@pytest.mark.parametrize("name", RECIPES)
def test_a_harmless_plan_passes_on_each_recipe_that_ships(name, tmp_path):
    """The batches of ppo are made by its model, and the features of panel are cast by its strategy."""
    if RECIPES[name] is not None:
        pytest.importorskip(RECIPES[name])
    verdict = check_recipe(Recipe(target=name, folder=tmp_path), FUSED, Settings(folder=tmp_path))
    assert verdict.outcome is Outcome.PASS, verdict.message
