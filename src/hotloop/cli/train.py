"""`hotloop train`: train an estimator or an actor-critic from a config file, into a run folder."""

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from hotloop.cli.arguments import Json
from hotloop.errors import FitFailed


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A .yaml, .json or .toml file.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which the run's own folder is made [runs]; with a strategy and no --name, the run's own."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run's folder; without it, config and time.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Wins over the seed of the config.")] = None,
    device: Annotated[str | None, typer.Option(help="Wins over the config's device: cpu, cuda, cuda:1.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with the run in this folder, from its latest epoch.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show a bar of epochs on stderr.")] = False,
    as_json: Json = False,
) -> None:
    """Train an estimator, or an actor-critic by PPO, from a config into a run folder; dotted paths in it are imported.

    Exit codes: 0 trained, 1 training failed (the folder says why), 2 a config that cannot be run.
    """
    from hotloop.runs import RunRequest, train_from_config

    # A name that a narrow terminal cannot show must not end a run that has been trained.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    request = RunRequest(config=config, out=out, name=name, seed=seed, device=device, resume=resume, verbose=verbose)
    try:
        run = train_from_config(request)
    except FitFailed as error:
        sys.stderr.write(f"hotloop: training failed: {error}\n")
        raise typer.Exit(1) from error
    if run.rank:
        return
    if as_json:
        metrics = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
        typer.echo(json.dumps({"schema": 1, "folder": str(run.folder), "metrics": metrics}, indent=2))
        return
    _print(run.folder, run.metrics)


def _print(folder: Path, metrics: dict[str, object]) -> None:
    hisso, portfolio, evaluation = (metrics.get(name) for name in ("hisso", "portfolio_metrics", "evaluation"))
    lines = [f"trained in {metrics['duration_seconds']:.1f} s: {folder}"]
    if isinstance(hisso, dict):
        lines.append(
            f"best epoch {hisso['best_epoch']} of {metrics['history_length']}: reward {hisso['best_reward']:.6g}"
        )
    if isinstance(portfolio, dict):
        lines.append("portfolio: " + "  ".join(f"{name} {value:.4g}" for name, value in portfolio.items()))
    if isinstance(evaluation, dict):
        lines += _evaluated(evaluation)
    ic, low, high = (metrics.get(name) for name in ("ic", "ic_low", "ic_high"))
    if isinstance(ic, dict) and isinstance(low, dict) and isinstance(high, dict):
        lines += [f"IC {days} days ahead: {ic[days]:.4f} [{low[days]:.4f}, {high[days]:.4f}]" for days in ic]
    typer.echo("\n".join(lines))


def _evaluated(evaluation: dict[str, Any]) -> list[str]:
    """Lines for what a policy was worth."""
    lines = [
        f"against {match['opponent']}: won {match['wins']:.1%}, drew {match['draws']:.1%}, lost {match['losses']:.1%} "
        f"of {match['games']} games"
        for match in evaluation.get("matches", [])
    ]
    if "test_accuracy" in evaluation:
        lines.append(
            f"test accuracy {evaluation['test_accuracy']:.2f} %, {evaluation['host_parameters']} parameters grown to "
            f"{evaluation['parameters']}"
        )
    if "episode_return" in evaluation:
        lines.append(f"{evaluation['episodes']} episodes: mean return {evaluation['episode_return']:.6g}")
    return lines
