"""`hotloop tune`: find a faster plan and prove it."""

from typing import Annotated, Literal

import typer

from hotloop.cli import arguments as shared
from hotloop.cli.outcome import leave
from hotloop.objective import Objective


def tune(
    target: shared.Target,
    arguments: shared.Rest = None,
    module: shared.IsModule = False,
    budget: shared.Budget = "10m",
    steps: shared.Steps = 30,
    objective: Annotated[Objective, typer.Option(help="Keep what is faster, needs less memory, or both.")] = (
        Objective.THROUGHPUT
    ),
    transforms: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMES", help="Try only these: compile,autocast. Or all but these: no-compile."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    skip: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    nproc: shared.NumRanks = 1,
    executor: Annotated[
        Literal["local", "ray"], typer.Option(help="Where plans are screened: here, or over a running Ray cluster.")
    ] = "local",
    out: shared.Out = None,
    history: shared.History = None,
    may_overwrite: shared.MayOverwrite = None,
    track: shared.Track = None,
    as_json: shared.Json = False,
) -> None:
    """Find a plan that makes an unmodified training script faster, or smaller, and prove it."""
    from hotloop.cli.ranks import read_workload

    workload = read_workload(target, tuple(arguments or ()), is_module=module, num_ranks=nproc)
    from hotloop.cli.progress import LiveProgress
    from hotloop.proof.session import Options
    from hotloop.records.tracking import check_trackers
    from hotloop.tune.find_plan import find_plan

    chosen, left_out = shared.parse_choice(transforms or [])
    trackers = shared.parse_names(track or [])
    check_trackers(trackers)
    options = Options(
        budget=shared.parse_budget(budget),
        steps=steps,
        only=(*chosen, *shared.parse_names(only or [])),
        skip=(*left_out, *shared.parse_names(skip or [])),
        objective=objective,
        out=out,
        history=history,
        may_overwrite=tuple(may_overwrite or ()),
        command=shared.command_line(),
        executor=executor,
    )
    with LiveProgress(budget=options.budget) as progress:
        result = find_plan(workload, options=options, progress=progress)
    leave(result, as_json=as_json, out=out, verb="tune", track=trackers)
