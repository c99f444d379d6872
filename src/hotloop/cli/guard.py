"""`hotloop guard`: is this change a regression?"""

from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli import arguments as shared


def guard(
    target: shared.Target,
    arguments: shared.Rest = None,
    base: Annotated[str | None, typer.Option(metavar="REV", help="The revision to compare with.")] = None,
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="The revision to judge; without it the working tree as it stands.")
    ] = None,
    base_python: Annotated[str, typer.Option(metavar="PYTHON", help="Interpreter of the base.")] = "",
    head_python: Annotated[str, typer.Option(metavar="PYTHON", help="Interpreter of the head.")] = "",
    calibrate: Annotated[
        int | None, typer.Option(metavar="N", min=3, help="Derive limits from N repeats of the base against itself.")
    ] = None,
    bisect: Annotated[
        str | None, typer.Option(metavar="GOOD..BAD", help="Find the commit between these that made it worse.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Limits and what to measure (TOML, see docs/guard.md).")
    ] = None,
    budget: shared.Budget = "5m",
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page for a pull request, or the text of an issue.")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Judge a change against a revision: time, memory, compilation, host reads, loss; 0 no regression, 1 a regression.

    Exit code 3 where it could not be told.
    """
    from hotloop.cli.progress import LiveProgress
    from hotloop.guard.bisect import bisect_revisions
    from hotloop.guard.calibrate import calibrate_limits
    from hotloop.guard.compare_revisions import compare_revisions
    from hotloop.guard.compare_rows import compare_rows, is_matrix
    from hotloop.guard.limits import GuardSettings
    from hotloop.guard.pages import page_of
    from hotloop.guard.request import Request
    from hotloop.proof.session import Options

    chosen = GuardSettings.load(settings) if settings else GuardSettings()
    if bisect is not None and (base or head or calibrate):
        raise typer.BadParameter("--bisect GOOD..BAD names both revisions; leave out --base, --head and --calibrate")
    if is_matrix(target) and (bisect is not None or calibrate is not None):
        raise typer.BadParameter(f"--bisect and --calibrate take one program: name a row, as {target}:MODEL/32/float32")
    request = Request(
        target=target,
        arguments=tuple(arguments or ()),
        base=base,
        head=head,
        base_python=base_python,
        head_python=head_python,
        settings=chosen,
    )
    seconds = shared.parse_budget(budget)
    options = Options(budget=seconds, may_overwrite=chosen.may_overwrite, command=shared.command_line())
    with LiveProgress(budget=seconds) as progress:
        if bisect is not None:
            found = bisect_revisions(request, bisect, options=options, progress=progress)
        elif calibrate is not None:
            found = calibrate_limits(request, calibrate, options=options, progress=progress)
        elif is_matrix(target):
            found = compare_rows(request, options=options, progress=progress)
        else:
            found = compare_revisions(request, options=options, progress=progress)
    _write_pages(page_of(found), markdown)
    typer.echo(found.to_json() if as_json else found.text(), nl=not as_json)
    raise typer.Exit(found.verdict.exit_code)


def _write_pages(text: str, file: Path | None) -> None:
    """The file that was asked for, and the summary of the job where this is a step of GitHub Actions."""
    import os

    from hotloop.cli.outcome import write_text

    if file is not None:
        write_text(file, text)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as page:  # earlier steps have written to it
            page.write(text)
