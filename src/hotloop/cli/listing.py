"""`hotloop list`: what is registered, and what of it has something to act on here."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hotloop import registry
from hotloop.cli.arguments import Json
from hotloop.errors import NotApplicable

_KINDS = ("transforms", "workloads", "environments", "strategies", "rewards", "models", "actor_critics", "rules")


def list_(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(_KINDS)}.")] = "transforms",
    as_json: Json = False,
) -> None:
    """List what can be named in a plan or on the command line."""
    if kind == "transforms":
        rows = _transforms()
    elif kind == "rules":
        from hotloop.lint.catalogue import catalogue

        rows = [{"code": entry.code, "name": entry.name} for entry in catalogue()]
    else:
        rows = [{"name": name} for name in registry.names(kind)]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "kind": kind, "items": rows}, indent=2))
        return
    for row in rows:
        typer.echo("  ".join(str(value) for value in row.values() if value))


def _transforms() -> list[dict[str, Any]]:
    from hotloop.machine.environment import record_environment

    environment = record_environment((), Path.cwd())
    rows: list[dict[str, Any]] = []
    for name in registry.names("transforms"):
        kind = registry.load("transforms", name)
        reasons: list[str] = []
        for candidate in kind.candidates(environment):
            try:
                candidate.check(environment)
            except NotApplicable as reason:
                reasons.append(str(reason))
            else:
                reasons = []
                break
        purpose = (kind.__doc__ or "").strip().splitlines()[0]
        refused = f"(does not apply here: {reasons[0]})" if reasons else ""
        rows.append({"name": name, "stage": kind.stage.value, "purpose": purpose, "here": refused})
    return rows
