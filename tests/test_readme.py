"""What the README says is what happens."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from hotloop import Plan
from hotloop.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    line.split()[1]
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("hotloop ")
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_snippets_print_what_they_say() -> None:
    for code in blocks("python"):
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert printed.splitlines() == re.findall(r"print\(.*\)  # (.*)", code)


def test_the_plan_in_the_readme_loads(tmp_path: Path) -> None:
    for text in blocks("toml"):
        (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
        assert Plan.load(tmp_path / "plan.toml").to_toml() == text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_the_readme_exists(name: str) -> None:
    assert name in typer.main.get_command(app).commands


def test_every_option_of_the_readme_exists() -> None:
    commands = typer.main.get_command(app).commands
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["hotloop"]:
                continue
            given = [word for word in words[: words.index("--") if "--" in words else None] if word.startswith("--")]
            known = {option for parameter in commands[words[1]].params for option in parameter.opts}
            assert set(given) <= known, line


@pytest.mark.parametrize("script", ["tune/bench_examples", "hisso/readme"])
def test_the_tables_are_what_the_stored_results_say(script: str) -> None:
    module = load_script(ROOT / "benchmarks" / f"{script}.py")
    measured_on, table = load_script(ROOT / "benchmarks" / "compare" / "readme_block.py").shown(README, module.COMMAND)
    assert table == module.table(measured_on).strip()


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
