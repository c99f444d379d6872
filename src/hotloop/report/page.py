"""The page: one HTML file that stands alone, without scripts and without anything to load."""

import functools
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.measurement import Environment
from hotloop.report import wording
from hotloop.report.commands import run_command
from hotloop.report.curves import plot_losses
from hotloop.report.forest import plot_forest
from hotloop.report.notes import shown_notes
from hotloop.report.short_names import short_change, short_plan, shortened
from hotloop.trial import Result
from hotloop.verdict import Outcome
from hotloop.whole_file import write_whole

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup


def render_page(result: Result) -> str:
    """The whole page as HTML; the same result gives the same text."""
    return _templates().get_template("page.html").render(_context(result))


@functools.cache
def _templates() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hotloop.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breakable": _breakable, "unbroken": _unbroken}
    return environment


def write_page(result: Result, path: str | Path) -> None:
    """Write the page to `path`; a reader sees the former file or the whole new one, never a part."""
    path = Path(path)
    # A file name may hold bytes that are not text; UTF-8 cannot spell those, so they are shown escaped.
    page = render_page(result).encode("utf-8", errors="backslashreplace")
    write_whole(path, page)


def _breakable(text: str) -> "Markup":
    """The text as HTML that a narrow column may break after a bracket, a slash or a plus, not inside a word."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[(/+])", text))


def _unbroken(names: str) -> str:
    """Names joined by plus signs, none of which is broken at a space of its own."""
    return " + ".join(name.replace(" ", "\N{NO-BREAK SPACE}") for name in names.split(" + "))


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
        "losses": plot_losses(result.curves),
        "has_cuda_memory": any(t.memory and (t.memory.cuda_allocated or t.memory.cuda_reserved) for t in result.trials),
        "environment": _environment(result.environment),
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
    if result.plan:
        facts.insert(0, ("Plan", _unbroken(short_plan(result.plan))))
    if result.plan and result.verdict is Outcome.PASS:
        facts.append(("Pays back", wording.payback(result)))
    if result.baseline_step is not None:
        facts.append(("Step as it stands", wording.duration(result.baseline_step)))
    if result.tuning_seconds:
        facts.append(("Time spent here", wording.duration(result.tuning_seconds)))
    return facts


def _environment(machine: Environment) -> list[tuple[str, str]]:
    """Rows of the environment table, less those with nothing to say."""
    revision = f"{machine.git_revision}{', with uncommitted changes' if machine.git_dirty else ''}"
    rows = [
        ("Processor", machine.cpu),
        ("Cores used", ", ".join(map(str, machine.cores))),
        ("Threads", str(machine.threads)),
        ("Governor", machine.governor),
        ("Load at the start", f"{machine.load:.2f}, of which by others {machine.foreign_cores:.2f} cores"),
        ("Memory", f"{machine.memory / 2**30:.1f} GiB"),
        ("GPU", ", ".join(machine.gpus)),
        ("GPU driver", machine.gpu_driver),
        ("GPU clocks", ", ".join(machine.gpu_clocks)),
        ("Platform", machine.platform),
        ("Python", machine.python),
        ("torch", machine.torch),
        ("hotloop", machine.hotloop),
        ("Compiler", machine.compiler),
        ("Allocators", _assignments(machine.allocators)),
        ("Git revision", revision if machine.git_revision else ""),
        ("Call", shlex.join(machine.argv)),
        ("Variables", _assignments(machine.variables)),
    ]
    return [(name, value) for name, value in rows if value]


def _assignments(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in values.items())
