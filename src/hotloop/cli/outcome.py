"""What every measuring command does with its result: files, one document or one table on stdout, and a code."""

from pathlib import Path
from typing import NoReturn

import typer

from hotloop.records.documents import result_json
from hotloop.transform import Plan
from hotloop.trial import Result
from hotloop.whole_file import write_whole


def leave(result: Result, *, as_json: bool, out: Path | None, plan_out: Path | None = None) -> NoReturn:
    """Write what was asked for, print, and exit with the verdict's code."""
    if out is not None:
        from hotloop.report import write_page

        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "plan.toml", Plan.from_data(result.plan).to_toml())
        write_text(out / "result.json", result_json(result))
        write_page(result, out / "report.html")
    if plan_out is not None:
        write_text(plan_out, Plan.from_data(result.plan).to_toml())
    if as_json:
        typer.echo(result_json(result), nl=False)
    else:
        from rich.console import Console

        from hotloop.report import summary

        Console().print(summary(result))
    raise typer.Exit(result.verdict.exit_code)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
