"""`hotloop`: the commands, and the one place that turns any error into a message and a code.

Exit codes: 0 proven (or done), 1 not proven, 2 usage or a program that does not run, 3 could not tell.
"""

import sys
import traceback

import typer

from hotloop.cli import diagnose, lint, listing, machine, prove, report, run, train, tune
from hotloop.errors import HotloopError, WorkloadCrashed

app = typer.Typer(
    name="hotloop",
    help="Makes PyTorch training faster and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("tune")(tune.tune)
app.command("diagnose")(diagnose.diagnose)
app.command("lint")(lint.lint)
app.command("prove")(prove.prove)
app.command("run")(run.run)
app.command("machine")(machine.machine)
app.command("report")(report.report)
app.command("train")(train.train)
app.command("list")(listing.list_)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Makes PyTorch training faster and proves it."""
    if show:
        from hotloop import __version__

        typer.echo(__version__)
        raise typer.Exit(0)


def main() -> None:
    """Run the command line; every way out of it sets one of the four exit codes."""
    try:
        app()
    except WorkloadCrashed as error:
        sys.stderr.write(f"{error.traceback.rstrip()}\nhotloop: {error}\n")
        sys.exit(2)
    except HotloopError as error:
        sys.stderr.write(f"hotloop: {error}\n")
        sys.exit(2)
    except Exception:  # noqa: BLE001  # one of the two places that may: a bug of ours must not look like a verdict
        traceback.print_exc()
        sys.stderr.write("hotloop: this is a bug in hotloop; nothing was proven\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
