"""`hotloop cache`: compiled code that is kept, so that training starts without compiling it again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from hotloop.cli.arguments import IsModule, Json, Rest

if TYPE_CHECKING:
    from hotloop.compile.bundle import Manifest

_Value = TypeVar("_Value")
Action = Literal["list", "warm", "prune", "export", "import"]


def cache(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    target: Annotated[
        str | None, typer.Argument(help="The script to warm, the bundle to export, the archive to import.")
    ] = None,
    arguments: Rest = None,
    plan: Annotated[Path | None, typer.Option(help="With warm: the plan to train under (TOML).")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="With export: the archive to write.")] = None,
    most: Annotated[str, typer.Option(metavar="SIZE", help="With prune: what all bundles together may take.")] = "2GiB",
    module: IsModule = False,
    as_json: Json = False,
) -> None:
    """List, make ahead, thin out, export and import the compiled code that `hotloop run` starts with.

    A bundle is code: import only what a person you trust exported.
    """
    from hotloop.compile import bundle_folder as folders

    place = folders.bundle_folder()
    if action == "list":
        found = folders.list_bundles(place)
        for name, reason in folders.unreadable_bundles(place).items():
            typer.echo(f"{name} cannot be read ({reason}); hotloop cache prune removes it", err=True)
    elif action == "warm":
        usage = "warm SCRIPT --plan PLAN"
        found = [_warm(_needed(target, usage), _needed(plan, usage), arguments, module)]
    elif action == "prune":
        found = folders.prune_bundles(place, most_bytes=_size(most))
    elif action == "export":
        usage = "export BUNDLE --out FILE.tar"
        found = [folders.export_bundle(place, _needed(target, usage), _needed(out, usage))]
    else:
        found = [folders.import_bundle(place, Path(_needed(target, "import FILE.tar")))]
    _tell(action, found, as_json=as_json)


def _needed(value: _Value | None, usage: str) -> _Value:
    if value is None:
        raise typer.BadParameter(f"give hotloop cache {usage}")
    return value


def _size(text: str) -> int:
    from hotloop.machine.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _warm(target: str, plan: Path, arguments: list[str] | None, is_module: bool) -> "Manifest":
    from hotloop.deploy.compiled_code import warm
    from hotloop.transform import Plan
    from hotloop.workload import parse_workload

    return warm(parse_workload(target, tuple(arguments or ()), is_module=is_module), Plan.load(plan))


def _tell(action: Action, found: "list[Manifest]", *, as_json: bool) -> None:
    if as_json:
        documents = [{"bundle": one.key.digest, **one.model_dump(mode="json", by_alias=True)} for one in found]
        typer.echo(json.dumps(documents, indent=2))
        return
    for one in found:
        size = f"{one.num_bytes / 2**20:.1f} MiB"
        typer.echo(f"{one.key.digest}  {one.made[:16]}  {size:>12}  {one.key.workload}  {one.key.plan}")
    done = {"list": "kept", "warm": "made", "prune": "removed", "export": "written", "import": "added"}[action]
    typer.echo(f"{len(found)} bundle{'' if len(found) == 1 else 's'} {done}")
