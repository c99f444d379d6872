import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop import registry
from hotloop.errors import RegistryError

PLANTED = Path(__file__).parent / "planted"


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.syspath_prepend(str(PLANTED))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("hotloop_planted")]:
        del sys.modules[name]


def test_the_name_of_a_built_in_is_that_of_its_file():
    folder = Path(registry.__file__).parent / "transforms"
    assert set(registry.names("transforms")) == {path.stem for path in folder.glob("[a-z]*.py")}


def test_rules_are_found_in_the_folders_of_their_families():
    folder = Path(registry.__file__).parent / "lint" / "rules"
    assert set(registry.names("rules")) == {path.stem for path in folder.glob("*/[a-z]*.py")}
    assert registry.load("rules", "item_in_loop").code == "SY01"


@pytest.mark.parametrize("name", registry.names("transforms"))
def test_what_is_loaded_bears_the_name_it_was_asked_for(name):
    assert registry.load("transforms", name).name == name


def test_a_registered_workload_is_its_build_function():
    assert all(registry.load("workloads", name).__name__ == "build" for name in registry.names("workloads"))


def test_a_third_party_is_found_by_its_entry_points(planted):
    assert {"nothing", "scale_gradients"} <= set(registry.names("transforms"))
    assert registry.load("transforms", "nothing").name == "nothing"


def test_asking_for_names_imports_no_third_party(planted):
    registry.names("transforms")
    assert "hotloop_planted.nothing" not in sys.modules


def test_asking_for_names_does_not_import_torch():
    code = "import sys; from hotloop import registry; registry.names('transforms'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(RegistryError, match=r"no transform is named 'warp'; known are: .*autocast, .*compile"):
        registry.load("transforms", "warp")


def test_an_unknown_kind_is_answered_with_the_kinds():
    with pytest.raises(RegistryError, match="'gadgets' is not a kind of plug-in; kinds are: transforms"):
        registry.names("gadgets")
