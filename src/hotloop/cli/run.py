"""`hotloop run`: train for real under a plan."""

from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli.arguments import IsModule, Rest, Target
from hotloop.transform import Plan
from hotloop.workload import parse_workload


def run(
    target: Target,
    plan: Annotated[Path, typer.Option(help="The plan to train under (TOML).")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop, with exit code 1, where a check of the run fails.")
    ] = False,
    arguments: Rest = None,
    module: IsModule = False,
) -> None:
    """Train for real, in this folder, under a plan that was proven; the exit code is the script's own."""
    from hotloop.deploy.launch import launch

    workload = parse_workload(target, tuple(arguments or ()), is_module=module)
    launch(workload, Plan.load(plan), proof=plan.with_name("result.json"), is_strict=strict)
