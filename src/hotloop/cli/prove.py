"""`hotloop prove`: is this plan faster, and does it train the same model?"""

from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli import arguments as shared
from hotloop.cli.outcome import leave
from hotloop.cli.ranks import read_workload
from hotloop.errors import EvidenceError
from hotloop.objective import Objective
from hotloop.transform import Plan
from hotloop.workload import Workload


def prove(
    target: Annotated[
        str | None, typer.Argument(metavar="SCRIPT_OR_RECIPE", help="train.py, file.py:build, or a name.")
    ] = None,
    arguments: shared.Rest = None,
    module: shared.IsModule = False,
    plan: Annotated[
        Path | None, typer.Option(help="The plan to prove (TOML); an empty file is the empty plan.")
    ] = None,
    replay: Annotated[Path | None, typer.Option(help="Repeat the claim of this evidence folder.")] = None,
    nproc: shared.NumRanks = 1,
    budget: shared.Budget = "5m",
    steps: shared.Steps = 30,
    out: shared.Out = None,
    history: shared.History = None,
    may_overwrite: shared.MayOverwrite = None,
    track: shared.Track = None,
    as_json: shared.Json = False,
) -> None:
    """Prove one plan on one script, or repeat the proof of an evidence folder."""
    objective = Objective.THROUGHPUT
    if replay:
        workload, chosen, objective = _replayed(replay)
    elif target is None or plan is None:
        raise typer.BadParameter("give a script and --plan PLAN.toml, or --replay EVIDENCE")
    else:
        workload = read_workload(target, tuple(arguments or ()), is_module=module, num_ranks=nproc)
        chosen = Plan.load(plan)
    from hotloop.cli.progress import LiveProgress
    from hotloop.proof.prove import prove as judge
    from hotloop.proof.session import Options
    from hotloop.records.tracking import check_trackers

    trackers = shared.parse_names(track or [])
    check_trackers(trackers)
    options = Options(
        budget=shared.parse_budget(budget),
        steps=steps,
        objective=objective,
        out=out,
        history=history,
        may_overwrite=tuple(may_overwrite or ()),
        command=shared.command_line(),
    )
    with LiveProgress(budget=options.budget) as progress:
        result = judge(workload, chosen, options=options, progress=progress)
    leave(result, as_json=as_json, out=out, verb="prove", track=trackers)


def _replayed(folder: Path) -> tuple[Workload, Plan, Objective]:
    """Workload and plan of the evidence, and the objective that the plan was claimed for."""
    from hotloop.records.evidence import load_evidence

    recorded = load_evidence(folder)
    if recorded.plan is None:
        raise EvidenceError(f"the session in {folder} was cut off before it had a plan; measure again")
    objective = Objective(recorded.command.options.get("objective", Objective.THROUGHPUT))
    return recorded.command.workload, recorded.plan, objective
