"""The table of the README, generated from results and never typed by hand."""

import re
from collections.abc import Iterable

from hotloop.report.wording import CLOCKS, plan_title, printable, speed
from hotloop.trial import Result

_HEAD = ("Workload", "Verdict", "Speed-up [interval]", "Clock", "Plan", "A/A on that machine")
_ALIGNMENT = (":---", ":---", "---:", ":---", ":---", "---:")


def readme_table(results: Iterable[Result]) -> str:
    """A Markdown table, one row for each result, ending in a newline."""
    rows = [_HEAD, _ALIGNMENT, *(_row(result) for result in results)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(result: Result) -> tuple[str, ...]:
    return (
        _code(result.workload),
        result.verdict.value,
        speed(result.speedup),
        CLOCKS[result.clock],
        _code(plan_title(result.plan)),
        speed(result.aa),
    )


def _code(text: str) -> str:
    """A code span that no text can break out of; a pipe is escaped because tables split before spans are read."""
    line = " ".join(printable(text).split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"
