"""What is not imported: the command line answers, and nouns and reports load, before torch would have."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "sqlalchemy", "sklearn", "numpy", "jinja2")
REPORT = f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
LIGHT = [
    "hotloop",
    "hotloop.errors",
    "hotloop.registry",
    "hotloop.verdict",
    "hotloop.measurement",
    "hotloop.workload",
    "hotloop.transform",
    "hotloop.trial",
    "hotloop.report",
]


def loaded(statements: str) -> set[str]:
    """Heavy packages that are loaded after these statements."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statements}\n{REPORT}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("module", LIGHT)
def test_nouns_and_reports_load_nothing_heavy(module: str) -> None:
    assert loaded(f"import {module}") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"], ["prove", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    statements = f"""
from hotloop.cli.app import main
sys.argv = ["hotloop", *{arguments!r}]
try:
    main()
except SystemExit as leave:
    assert not leave.code
"""
    assert loaded(statements) == set()


def test_torch_is_named_among_the_heavy_when_it_is_loaded() -> None:
    assert "torch" in loaded("import torch")
