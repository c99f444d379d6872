"""`hotloop`: the commands, and the one place that turns any error into a message and a code.

Exit codes: 0 proven (or done), 1 not proven, 2 usage or a program that does not run, 3 could not tell.
"""

import inspect
import sys
import traceback

import typer

from hotloop.cli import (
    bench,
    cache,
    diagnose,
    guard,
    history,
    lint,
    listing,
    machine,
    memory,
    prove,
    report,
    run,
    train,
    tune,
)
from hotloop.errors import HotloopError, WorkloadCrashed

# In the order in which they are listed: the command, and the example that its help begins with.
_COMMANDS = (
    ("tune", tune.tune, "hotloop tune train.py --budget 10m --out out -- --epochs 3"),
    ("diagnose", diagnose.diagnose, "hotloop diagnose train.py -- --epochs 3"),
    ("memory", memory.memory, "hotloop memory train.py --card H100 -- --batch-size 64"),
    ("lint", lint.lint, "hotloop lint src"),
    ("prove", prove.prove, "hotloop prove train.py --plan out/plan.toml -- --epochs 3"),
    ("guard", guard.guard, "hotloop guard --base origin/main train.py -- --epochs 3"),
    ("run", run.run, "hotloop run train.py --plan out/plan.toml -- --epochs 3"),
    ("bench", bench.bench, "hotloop bench matrix.toml --out out --profile"),
    ("cache", cache.cache, "hotloop cache warm train.py --plan out/plan.toml -- --epochs 3"),
    ("history", history.history, "hotloop history --workload train.py --out history.html"),
    ("machine", machine.machine, "hotloop machine --budget 60s"),
    ("report", report.report, "hotloop report out/evidence --out report.html"),
    ("train", train.train, "hotloop train experiment.yaml --out runs"),
    ("list", listing.list_, "hotloop list transforms"),
)

app = typer.Typer(
    name="hotloop",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _name, _command, _example in _COMMANDS:
    _text = inspect.getdoc(_command) or ""
    app.command(_name, help=f"Example: {_example}\n\n{_text}", short_help=_text.partition("\n\n")[0])(_command)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Example: hotloop tune train.py --budget 10m --out out -- --epochs 3

    Makes PyTorch training faster and proves it.
    """
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
