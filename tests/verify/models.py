"""The recipes under tests/recipes, by name."""

import importlib.util
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from hotloop.workload import Job

FOLDER = Path(__file__).parents[1] / "recipes"
FAST = ("mlp", "resnet", "gpt", "lstm", "bert")
SLOW = ("autoencoder", "gat", "vit")
WITH_BATCH_NORM = ("resnet", "autoencoder")
WITHOUT_DROPOUT = ("autoencoder",)


def recipe(name: str, *, seed: int = 0) -> Callable[[], Job]:
    """What makes fresh, equal jobs of one recipe."""
    return partial(_module(name).build, seed)


@cache
def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
