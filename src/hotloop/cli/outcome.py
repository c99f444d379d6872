"""What every measuring command does with its result: files, one document or one summary on stdout, and a code."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import typer

from hotloop.records.documents import result_json
from hotloop.report import WrittenFiles, summary, write_page
from hotloop.transform import Plan
from hotloop.trial import Result
from hotloop.whole_file import write_whole


def leave(
    result: Result,
    *,
    as_json: bool,
    out: Path | None,
    verb: str = "",
    track: tuple[str, ...] = (),
) -> NoReturn:
    """Tell trackers, write what was asked for, print, and exit with the verdict's code."""
    if track:
        from hotloop.records.tracking import run_of_result
        from hotloop.records.tracking import track as tell

        result = replace(result, notes=(*result.notes, *tell(track, run_of_result(result, verb=verb))))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "result.json", result_json(result))
        write_page(result, out / "report.html")
        write_text(out / "plan.toml", Plan.from_data(result.plan).to_toml())
    if as_json:
        typer.echo(result_json(result), nl=False)
    else:
        from rich.console import Console

        files = WrittenFiles(plan=out and out / "plan.toml", page=out and out / "report.html")
        Console().print(summary(result, files))
    raise typer.Exit(result.verdict.exit_code)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
