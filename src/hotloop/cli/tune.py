"""`hotloop tune`: find a faster plan and prove it."""

from typing import Annotated, Literal

import typer

from hotloop.cli import arguments as shared
from hotloop.cli.outcome import leave


def tune(
    target: shared.Target,
    arguments: shared.Rest = None,
    module: shared.IsModule = False,
    budget: shared.Budget = "10m",
    steps: shared.Steps = 30,
    only: Annotated[list[str] | None, typer.Option(help="Try only these transforms.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Do not try these transforms.")] = None,
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
    """Find a faster plan for an unmodified training script, and prove it."""
    from hotloop.cli.ranks import read_workload

    workload = read_workload(target, tuple(arguments or ()), is_module=module, num_ranks=nproc)
    from hotloop.cli.progress import LiveProgress
    from hotloop.proof.session import Options
    from hotloop.records.tracking import check_trackers
    from hotloop.tune.find_plan import find_plan

    trackers = shared.parse_names(track or [])
    check_trackers(trackers)
    options = Options(
        budget=shared.parse_budget(budget),
        steps=steps,
        only=shared.parse_names(only or []),
        skip=shared.parse_names(skip or []),
        out=out,
        history=history,
        may_overwrite=tuple(may_overwrite or ()),
        command=shared.command_line(),
        executor=executor,
    )
    with LiveProgress(budget=options.budget) as progress:
        result = find_plan(workload, options=options, progress=progress)
    leave(result, as_json=as_json, out=out, verb="tune", track=trackers)
