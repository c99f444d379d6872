"""What was compiled ahead is found when training starts, and compiled anew where it may not be used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop.compile.bundle import BundleError
from hotloop.compile.bundle_folder import bundle_folder
from hotloop.deploy.compiled_code import bundle_key, find_compiled, warm
from hotloop.transform import Plan
from hotloop.workload import parse_workload

PLAN = '[[transform]]\nname = "compile"\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the program and a plan, and bundles of its own."""
    monkeypatch.setenv("HOTLOOP_CACHE", str(tmp_path / "cache"))
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(Path(__file__).with_name("compiled.py").read_text())
    (folder / "plan.toml").write_text(PLAN)
    return folder


def trained(project, *arguments):
    """Loss, cache hits and misses of a real run, and what hotloop said."""
    call = [sys.executable, "-m", "hotloop", "run", "train.py", "--plan", "plan.toml", "--", *arguments]
    done = subprocess.run(call, cwd=project, capture_output=True, text=True, check=True, env=dict(os.environ))
    loss, hits, misses = done.stdout.splitlines()[-1].split()
    return loss, int(hits), int(misses), done.stderr


@pytest.mark.slow
def test_training_starts_with_what_was_compiled_ahead(project, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # torch's own cache folder is there
    workload, plan = parse_workload("train.py", folder=project), Plan.load(project / "plan.toml")
    cold = trained(project)
    manifest = warm(workload, plan)
    assert manifest.vector_units_checked
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))  # as after a restart, or on another machine
    ready = trained(project)
    assert not list((tmp_path / "elsewhere").rglob("precompiled_headers"))  # nothing was compiled, no header either
    assert list(tmp_path.glob("torchinductor_*/precompiled_headers"))
    assert (cold[1], ready[2]) == (0, 0)
    assert ready[1] == cold[2] > 0
    assert ready[0] == cold[0]
    assert "compiled code of" in ready[3]

    broken = next(path for path in (bundle_folder() / manifest.key.digest).rglob("*.so"))
    content = broken.read_bytes()
    broken.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = trained(project)
    assert "is not used, everything is compiled anew" in again[3]
    assert again[0] == cold[0]


def test_another_source_has_another_bundle(project):
    workload, plan = parse_workload("train.py", folder=project), Plan.load(project / "plan.toml")
    before = bundle_key(workload, plan)
    (project / "train.py").write_text((project / "train.py").read_text().replace("Tanh", "ReLU"))
    assert bundle_key(workload, plan).digest != before.digest
    assert bundle_key(workload, plan) == bundle_key(parse_workload("train.py", ("64",), folder=project), plan)


def test_a_plan_that_compiles_nothing_has_nothing_to_warm(project):
    plan = Plan.from_data([{"name": "fused_optimizer"}])
    with pytest.raises(BundleError, match="compiles nothing"):
        warm(parse_workload("train.py", folder=project), plan)


def test_a_cache_folder_of_the_users_own_stays(project):
    variables = {"TORCHINDUCTOR_CACHE_DIR": "/mine"}
    said = find_compiled(parse_workload("train.py", folder=project), Plan.load(project / "plan.toml"), variables)
    assert (said, variables) == ("", {"TORCHINDUCTOR_CACHE_DIR": "/mine"})
