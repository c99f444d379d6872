"""The page: one HTML file that stands alone, without scripts and without anything to load."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotloop.report import wording
from hotloop.report.commands import run_command
from hotloop.report.curves import plot_losses
from hotloop.report.forest import plot_forest, plot_memory_forest
from hotloop.report.html import environment_rows, render, unbroken, write_html
from hotloop.report.notes import shown_notes
from hotloop.report.short_names import short_change, short_plan, shortened
from hotloop.trial import Result
from hotloop.verdict import Outcome


def render_page(result: Result) -> str:
    """The whole page as HTML; the same result gives the same text."""
    return render("page.html", _context(result))


def write_page(result: Result, path: str | Path) -> None:
    """Write the page to `path`; a reader sees the former file or the whole new one, never a part."""
    write_html(render_page(result), path)


def _context(result: Result) -> Mapping[str, Any]:
    return {
        "result": result,
        "headline": wording.headline(result),
        "facts": _facts(result),
        "notes": shown_notes(result.notes),
        "toml": wording.plan_toml(result.plan),
        "run_command": run_command(result),
        "replay_command": f"hotloop prove --replay {shlex.quote(result.evidence)}" if result.evidence else "",
        "forest": plot_forest(result),
        "memory_forest": plot_memory_forest(result) if result.objective.counts_memory else None,
        "losses": plot_losses(result.curves),
        "has_cuda_memory": any(t.memory and (t.memory.cuda_allocated or t.memory.cuda_reserved) for t in result.trials),
        "environment": environment_rows(dataclasses.asdict(result.environment)),
        "speed": wording.speed,
        "status": wording.status,
        "duration": wording.duration,
        "mebibytes": wording.mebibytes,
        "short_change": short_change,
        "shortened": shortened,
    }


def _facts(result: Result) -> list[tuple[str, str]]:
    facts = [
        ("Speed-up", wording.speed(result.speedup)),
        ("A/A on this machine", wording.speed(result.aa)),
        ("Clock", wording.CLOCKS[result.clock]),
    ]
    if result.objective.counts_memory:
        facts.insert(0, ("Objective", result.objective.value))
    if result.memory_ratio is not None:
        facts.append(("Peak memory", wording.memory_change(result)))
    if result.plan:
        facts.insert(0, ("Plan", unbroken(short_plan(result.plan))))
    if result.plan and result.verdict is Outcome.PASS:
        facts.append(("Pays back", wording.payback(result)))
    if result.baseline_step is not None:
        facts.append(("Step as it stands", wording.duration(result.baseline_step)))
    if result.tuning_seconds:
        facts.append(("Time spent here", wording.duration(result.tuning_seconds)))
    return facts
