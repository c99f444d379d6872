"""`hotloop diagnose`: where does the time of a step go, at which line, and what is it worth?"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli.arguments import Budget, IsModule, Json, MayOverwrite, Rest, Target, parse_budget
from hotloop.cli.outcome import write_text


def diagnose(
    target: Target,
    arguments: Rest = None,
    module: IsModule = False,
    budget: Budget = "60s",
    steps: Annotated[int, typer.Option(min=2, help="Steps to time before the probes start.")] = 30,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON document to this file.")] = None,
    may_overwrite: MayOverwrite = None,
    as_json: Json = False,
) -> None:
    """Say where the time of an unmodified training script goes, at which line, and what could be won."""
    from hotloop.cli.ranks import read_workload

    workload = read_workload(target, tuple(arguments or ()), is_module=module, num_ranks=1)
    seconds = parse_budget(budget)
    from hotloop.diagnose.trace import TraceOptions, trace

    sys.stderr.write(f"running {workload.title} under probes\n")
    diagnosis = trace(workload, TraceOptions(steps=steps, budget=seconds), may_overwrite=tuple(may_overwrite or ()))
    if out is not None:
        write_text(out, diagnosis.to_json())
    if as_json:
        typer.echo(diagnosis.to_json(), nl=False)
        return
    from rich.console import Console

    from hotloop.report.findings import diagnosis_text

    Console().print(diagnosis_text(diagnosis.to_data(), diagnosis.findings, folder=workload.folder))
