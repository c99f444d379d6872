"""`hotloop history`: what past sessions measured, and where a figure changed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotloop.cli import arguments as shared

if TYPE_CHECKING:
    from hotloop.history.chosen import Chosen
    from hotloop.records.history import History


def history(
    workload: Annotated[str | None, typer.Option(help="Only workloads with this in their name.")] = None,
    machine: Annotated[str | None, typer.Option(help="Only machines with this in their name.")] = None,
    verb: Annotated[str | None, typer.Option(help="Only sessions of this command: tune, prove, bench.")] = None,
    since: Annotated[str | None, typer.Option(help="Only newer sessions: 30d, 12h, 2026-01-31.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A page (.html), sessions (.jsonl, .csv, .parquet), or series for apache-otava (.yaml).",
        ),
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add the sessions of such a file.")
    ] = None,
    keep: Annotated[int | None, typer.Option(min=0, metavar="DAYS", help="Remove all older sessions.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --keep: say what would go, remove nothing.")] = False,
    url: Annotated[str | None, typer.Option("--history", envvar="HOTLOOP_HISTORY", help="SQLAlchemy URL.")] = None,
    as_json: shared.Json = False,
) -> None:
    """List and draw past sessions, find changes of level, export and import them, and remove old ones."""
    if dry_run and keep is None:
        raise typer.BadParameter("--dry-run is for --keep; give --keep DAYS")
    from hotloop.history.chosen import Chosen, parse_since
    from hotloop.history.report import history_document
    from hotloop.records.history import open_history

    since_when = None if since is None else parse_since(since)
    chosen = Chosen(workload=workload, machine=machine, verb=verb, since=since_when)
    with open_history(url) as opened:
        if import_ is not None or keep is not None:
            _change(opened, import_, keep, dry_run=dry_run)
            return
        if out is not None and out.suffix == ".yaml":
            _export_series(opened, chosen, out)
            return
        if out is not None and out.suffix != ".html":
            from hotloop.history.files import write_sessions
            from hotloop.records.archive import session_records

            records = session_records(opened, [row.id for row in chosen.sessions(opened)])
            write_sessions(records, out)
            typer.echo(f"wrote {len(records)} sessions to {out}")
            return
        document = history_document(opened, chosen)
    if out is not None:
        from hotloop.report.history_page import history_page
        from hotloop.report.html import write_html

        out.parent.mkdir(parents=True, exist_ok=True)
        write_html(history_page(document), out)
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from hotloop.report.history_page import history_text

    Console().print(history_text(document))


def _export_series(opened: "History", chosen: "Chosen", path: Path) -> None:
    from hotloop.history.otava import write_otava
    from hotloop.history.series import read_series

    names = write_otava(read_series(opened, chosen.sessions(opened)), path)
    typer.echo(f"wrote {len(names)} series beside {path}")


def _change(opened: "History", file: Path | None, keep: int | None, *, dry_run: bool) -> None:
    """Add the sessions of a file, and remove those that are older than `keep` days."""
    from hotloop.history.chosen import older_than
    from hotloop.history.files import read_sessions
    from hotloop.records.archive import add_records, remove_sessions

    if file is not None:
        records = read_sessions(file)
        typer.echo(
            f"added {add_records(opened, records)} of {len(records)} sessions from {file}; the others were there"
        )
    if keep is not None:
        old = older_than(opened, keep)
        if not dry_run:
            remove_sessions(opened, [row.id for row in old])
        typer.echo(f"{'would remove' if dry_run else 'removed'} {len(old)} sessions older than {keep} days")
