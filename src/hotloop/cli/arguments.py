"""Arguments and options that several commands take, and how they are read."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_budget(text: str) -> float:
    """Seconds in `90`, `60s`, `10m` or `1h`. Raises BadParameter for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", text.strip())
    if found is None or float(found[1]) <= 0:
        raise typer.BadParameter(f"got {text!r}; give a time such as 60s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def parse_names(values: list[str]) -> tuple[str, ...]:
    """Names from repeated or comma-separated options."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def parse_choice(values: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names to take and names to leave out, which begin with "no-", from repeated or comma-separated options."""
    names = parse_names(values)
    left_out = tuple(name.removeprefix("no-") for name in names if name.startswith("no-"))
    return tuple(name for name in names if not name.startswith("no-")), left_out


def command_line() -> str:
    """The call as it was typed, ready for a shell."""
    return shlex.join(["hotloop", *sys.argv[1:]])


Target = Annotated[
    str,
    typer.Argument(metavar="SCRIPT_OR_RECIPE", help="train.py, file.py:build, bench.toml:ROW, or a registered name."),
]
IsModule = Annotated[
    bool, typer.Option("--module", "-m", help="SCRIPT_OR_RECIPE is a module, to be run as python -m does.")
]
NumRanks = Annotated[int, typer.Option("--nproc", min=1, help="Ranks that are started at once, as torchrun does.")]
Rest = Annotated[list[str] | None, typer.Argument(metavar="[-- ARGUMENTS]", help="Arguments of the script, after --.")]
Budget = Annotated[str, typer.Option(help="Time for everything: 60s, 10m.")]
Steps = Annotated[int, typer.Option(min=6, help="Steps that verification compares.")]
Out = Annotated[Path | None, typer.Option(help="Folder for plan.toml, report.html, result.json and the evidence.")]
History = Annotated[str | None, typer.Option(envvar="HOTLOOP_HISTORY", help="SQLAlchemy URL of the history.")]
MayOverwrite = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Files that trials may write: they get a private copy; yours stays as it is."),
]
Track = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Tell a tracker how it ended: wandb, mlflow, tensorboard.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
