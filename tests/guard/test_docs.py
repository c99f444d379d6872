"""What docs/guard.md shows: settings that load, options that exist, a workflow and a hook that do what they say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from hotloop.cli.app import app
from hotloop.guard.limits import DEFAULTS, METRICS, GuardSettings

from .conftest import TRAIN, changed

PAGE = (Path(__file__).parents[2] / "docs" / "guard.md").read_text(encoding="utf-8")


def block(language, number=0):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def steps():
    return yaml.safe_load(block("yaml"))["jobs"]["guard"]["steps"]


def lines():
    script = next(step["run"] for step in steps() if step.get("name") == "hotloop guard")
    shell = [*re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL), script, block("bash")]
    return [line.strip() for text in shell for line in text.splitlines() if line.strip().startswith("hotloop guard")]


def test_the_settings_shown_are_the_defaults(tmp_path):
    (tmp_path / "guard.toml").write_text(block("toml"))
    found = GuardSettings.load(tmp_path / "guard.toml")
    assert found == GuardSettings()
    assert dict(found.limits) == dict(DEFAULTS)


def test_every_metric_is_in_the_table():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(METRICS)


@pytest.mark.parametrize("line", lines())
def test_every_option_exists(line):
    known = {option for parameter in typer.main.get_command(app).commands["guard"].params for option in parameter.opts}
    words = shlex.split(line.partition(" -- ")[0])
    assert {word for word in words if word.startswith("--")} <= known


def test_the_workflow_fetches_the_past():
    checkout = next(step for step in steps() if step.get("uses", "").startswith("actions/checkout"))
    assert checkout["with"]["fetch-depth"] == 0


@pytest.mark.parametrize(("code", "left"), [(0, 0), (1, 1), (2, 2), (3, 0)])
def test_the_job_fails_where_a_regression_is_proven(repository, tmp_path, code, left):
    script = next(step["run"] for step in steps() if step.get("name") == "hotloop guard")
    (tmp_path / "hotloop").write_text(f"#!/bin/sh\necho '{{}}'\nexit {code}\n")
    (tmp_path / "hotloop").chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "BASE": "HEAD", "HEAD": "HEAD"}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=repository.folder, env=variables, check=False)
    assert done.returncode == left
    assert (repository.folder / "guard.json").read_text() == "{}\n"


@pytest.mark.slow
def test_the_hook_refuses_an_added_read(repository, tmp_path):
    program = tmp_path / "hotloop"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hotloop "$@"\n')
    program.chmod(0o755)
    hook = repository.folder / ".git" / "hooks" / "pre-push"
    hook.write_text(block("bash"))
    hook.chmod(0o755)
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    repository.git("push", "--quiet", str(remote), "main")
    repository.commit("Read the loss", train=changed("    optimizer.step()", "    optimizer.step()\n    loss.item()"))
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    push = ["git", "push", str(remote), "main"]
    done = subprocess.run(push, cwd=repository.folder, env=variables, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "host_reads" in done.stdout + done.stderr
    repository.commit("Take it back", train=TRAIN)
    assert subprocess.run(push, cwd=repository.folder, env=variables, check=False).returncode == 0
