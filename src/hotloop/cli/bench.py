"""`hotloop bench`: the absolute picture of models or of a workload on this machine."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli import arguments as shared
from hotloop.cli.outcome import write_text


def bench(
    target: Annotated[
        str,
        typer.Argument(metavar="MATRIX_OR_WORKLOAD", help="matrix.toml, file.py:build, a registered name, train.py."),
    ],
    arguments: shared.Rest = None,
    module: shared.IsModule = False,
    plan: Annotated[list[Path] | None, typer.Option(help="Measure the workload under this plan (TOML) too.")] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Fresh processes for a row of a workload.")] = 3,
    steps: Annotated[int, typer.Option(min=3, help="Steps to time in each, at least.")] = 30,
    target_loss: Annotated[float | None, typer.Option("--target", help="Loss to come down to.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Trace the slowest row; needs --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for bench.json, bench.html and trace.json.")] = None,
    history: shared.History = None,
    track: shared.Track = None,
    as_json: shared.Json = False,
) -> None:
    """Measure latency, throughput, memory, loading, compiling and convergence, each row in fresh processes."""
    if profile and out is None:
        raise typer.BadParameter("--profile leaves a trace in the folder of --out; give --out FOLDER")
    from hotloop.bench.asked import Asked
    from hotloop.bench.keep import keep
    from hotloop.bench.measure import outcome, run_benchmark
    from hotloop.bench.rows import rows_of_matrix, rows_of_workload
    from hotloop.records.history import open_history
    from hotloop.records.tracking import check_trackers, run_of_benchmark
    from hotloop.records.tracking import track as tell
    from hotloop.workload import parse_workload

    trackers = shared.parse_names(track or [])
    check_trackers(trackers)
    if target.endswith(".toml"):
        rows = rows_of_matrix(Path(target))
    else:
        workload = parse_workload(target, tuple(arguments or ()), is_module=module)
        asked = Asked(steps=steps)
        rows = rows_of_workload(workload, plan or [], asked=asked, replicates=replicates, target=target_loss)
    with open_history(history) as opened:  # before anything is measured: one that cannot be used says so now
        line = shared.command_line()
        found = keep(run_benchmark(rows, command=line, profile_into=out if profile else None, say=_say), opened)
    found = replace(found, notes=(*found.notes, *tell(trackers, run_of_benchmark(found.to_data()))))
    document = found.to_data()
    files: list[str] = []
    if out is not None:
        from hotloop.report.bench_page import benchmark_page
        from hotloop.report.html import write_html

        write_text(out / "bench.json", found.to_json())
        write_html(benchmark_page(document), out / "bench.html")
        files = [str(out / name) for name in ("bench.json", "bench.html", *(["trace.json"] if found.profile else []))]
    if as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        from rich.console import Console

        from hotloop.report.bench_table import benchmark_text

        Console().print(benchmark_text(document, files))
    raise typer.Exit(outcome(found).exit_code)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
