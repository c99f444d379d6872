"""`hotloop prove`: is this plan faster, and does it train the same model?"""

from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli.arguments import (
    Budget,
    History,
    IsModule,
    Json,
    MayOverwrite,
    Out,
    Rest,
    Steps,
    command_line,
    parse_budget,
)
from hotloop.cli.outcome import leave
from hotloop.errors import EvidenceError
from hotloop.transform import Plan
from hotloop.workload import Workload, parse_workload


def prove(
    target: Annotated[
        str | None, typer.Argument(metavar="SCRIPT_OR_RECIPE", help="train.py, file.py:build, or a name.")
    ] = None,
    arguments: Rest = None,
    module: IsModule = False,
    plan: Annotated[
        Path | None, typer.Option(help="The plan to prove (TOML); an empty file is the empty plan.")
    ] = None,
    replay: Annotated[Path | None, typer.Option(help="Repeat the claim of this evidence folder.")] = None,
    budget: Budget = "5m",
    steps: Steps = 30,
    out: Out = None,
    history: History = None,
    may_overwrite: MayOverwrite = None,
    as_json: Json = False,
) -> None:
    """Prove one plan on one script, or repeat the proof of an evidence folder."""
    workload, chosen = _replayed(replay) if replay else _given(target, arguments, plan, is_module=module)
    from hotloop.cli.progress import LiveProgress
    from hotloop.proof.prove import prove as judge
    from hotloop.proof.session import Options

    options = Options(
        budget=parse_budget(budget),
        steps=steps,
        out=out,
        history=history,
        may_overwrite=tuple(may_overwrite or ()),
        command=command_line(),
    )
    with LiveProgress(budget=options.budget) as progress:
        result = judge(workload, chosen, options=options, progress=progress)
    leave(result, as_json=as_json, out=out)


def _given(
    target: str | None, arguments: list[str] | None, plan: Path | None, *, is_module: bool
) -> tuple[Workload, Plan]:
    if target is None or plan is None:
        raise typer.BadParameter("give a script and --plan PLAN.toml, or --replay EVIDENCE")
    return parse_workload(target, tuple(arguments or ()), is_module=is_module), Plan.load(plan)


def _replayed(folder: Path) -> tuple[Workload, Plan]:
    from hotloop.records.evidence import load_evidence

    recorded = load_evidence(folder)
    if recorded.plan is None:
        raise EvidenceError(f"the session in {folder} was cut off before it had a plan; measure again")
    return recorded.command.workload, recorded.plan
