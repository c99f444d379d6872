"""`hotloop machine`: what this machine is, and how small a difference it lets us prove."""

from typing import Annotated

import typer

from hotloop.cli.arguments import Budget, History, IsModule, Json, parse_budget


def machine(
    target: Annotated[
        str, typer.Argument(metavar="[SCRIPT_OR_RECIPE]", help="What to run against itself.")
    ] = "convnet",
    module: IsModule = False,
    budget: Budget = "60s",
    history: History = None,
    as_json: Json = False,
) -> None:
    """Run a program against itself (A/A) and say what size of effect can be proven here."""
    import json

    from hotloop.cli.progress import LiveProgress
    from hotloop.proof.machine_check import check_machine
    from hotloop.proof.session import Options
    from hotloop.workload import parse_workload

    options = Options(budget=parse_budget(budget), history=history, command="hotloop machine")
    with LiveProgress(budget=options.budget) as progress:
        check = check_machine(parse_workload(target, is_module=module), options=options, progress=progress)
    typer.echo(json.dumps(check.to_data(), indent=2) if as_json else check.text())
    raise typer.Exit(check.verdict.outcome.exit_code)
