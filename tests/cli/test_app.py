"""Help begins with an example, and every example is a call that the command takes."""

import shlex

import pytest
import typer

from hotloop.cli.app import app

COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_an_example_that_can_be_parsed(name: str) -> None:
    command = typer.main.get_command(app).commands[name]
    example = command.help.splitlines()[0].removeprefix("Example: hotloop ")
    verb, *arguments = shlex.split(example)
    assert verb == name
    command.make_context(name, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_does(name: str) -> None:
    assert "Example" not in typer.main.get_command(app).commands[name].short_help


def test_an_example_is_the_first_that_help_prints(hotloop) -> None:
    lines = [line.strip() for line in hotloop("--help").stdout.splitlines() if line.strip()]
    assert lines[1].startswith("Example: hotloop tune train.py")
