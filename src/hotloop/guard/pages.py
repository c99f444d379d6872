"""The pages of a guard report: for a pull request, and, for two installations, the text of an issue."""

from collections import Counter
from collections.abc import Iterable, Mapping

from hotloop.guard.bisect import Bisection
from hotloop.guard.calibrate import LimitCalibration
from hotloop.guard.counts import Counts
from hotloop.guard.guard_report import GuardReport
from hotloop.guard.matrix_report import MatrixReport
from hotloop.guard.metric import Metric
from hotloop.guard.units import mebibytes
from hotloop.measurement import Environment, Interval
from hotloop.verdict import Outcome

_MOST_LISTED = 12
_TITLES = {
    Outcome.PASS: "no regression",
    Outcome.FAIL: "regression",
    Outcome.INCONCLUSIVE: "could not be told",
}


def page_of(found: GuardReport | MatrixReport | LimitCalibration | Bisection) -> str:
    """The page of what a call of `guard` has found."""
    if isinstance(found, MatrixReport):
        head = f"## hotloop guard: {_TITLES[found.verdict]}\n\n`{found.workload}`: {_cell(found.message)}.\n"
        return "\n".join([head, *(f"- {note}\n" for note in found.notes), *map(page_of, found.reports.values())])
    if not isinstance(found, GuardReport):
        return f"### hotloop guard: {found.workload}\n\n```\n{found.text()}\n```\n"
    is_issue = bool(found.base.installation.path or found.head.installation.path)
    return issue_text(found) if is_issue else pull_request_page(found)


def pull_request_page(report: GuardReport) -> str:
    """A page in Markdown: the verdict, each metric, and what was measured on."""
    lines = [
        f"### hotloop guard: {_TITLES[report.verdict]}",
        "",
        f"`{report.workload}`: {_cell(report.base.title)} -> {_cell(report.head.title)}. {_cell(report.message)}.",
        "",
        *_table(report.metrics),
        "",
        *(f"- {note}" for note in report.notes),
        *([""] if report.notes else []),
        f"<sub>{_machine(report.environment)}; {report.seconds:.0f} s; `{_cell(report.command)}`</sub>",
    ]
    return "\n".join(lines) + "\n"


def issue_text(report: GuardReport) -> str:
    """The text of an issue on the difference of two installations, ready to be filed."""
    base, head = report.base.installation, report.head.installation
    differing = base.differences(head)
    worse = ", ".join(f"`{name}`" for name in report.worse)
    lines = [
        f"## `{report.workload}` under two installations: {f'worse {worse}' if worse else _TITLES[report.verdict]}",
        "",
        "The same program ran under both in turns, in fresh processes on one machine.",
        "",
        *_table(report.metrics),
        "",
        f"- speed of a step, second against first: {_speed(report.step)}",
        f"- the first against itself (A/A): {_speed(report.aa)}",
        "",
        "### Versions that differ",
        "",
        "| | first | second |",
        "| :--- | :--- | :--- |",
        *(f"| {name} | {ours or 'absent'} | {theirs or 'absent'} |" for name, (ours, theirs) in differing.items()),
        *([] if differing else ["| none | | |"]),
        "",
        f"The same in both: Python {base.python}, torch {base.packages.get('torch', 'absent')}."
        if "Python" not in differing and "torch" not in differing
        else "",
        "",
        "### What differs in a step",
        "",
        *_differences(report.base_counts, report.head_counts),
        "",
        "### Machine and call",
        "",
        f"- {_machine(report.environment)}",
        f"- first: `{base.path}`; second: `{head.path}`",
        f"- `{_cell(report.command)}`",
        *(f"- {note}" for note in report.notes),
    ]
    return "\n".join(lines) + "\n"


def _table(metrics: Iterable[Metric]) -> list[str]:
    rows = [f"| {metric.verdict} | `{metric.name}` | {_cell(metric.message)} |" for metric in metrics]
    return ["| | metric | |", "| :--- | :--- | :--- |", *rows]


def _differences(base: Counts | None, head: Counts | None) -> list[str]:
    if base is None or head is None:
        return ["It was not counted."]
    lines = [
        *_changed("operators", base.operators, head.operators),
        *_changed("graph breaks", Counter(base.graph_breaks), Counter(head.graph_breaks)),
        *_changed("recompiles", Counter(base.recompiles), Counter(head.recompiles)),
        *_changed("host reads", base.reads, head.reads),
    ]
    if base.memory != head.memory:
        at = f", at {head.memory_at}" if head.memory_at else ""
        lines.append(f"- memory of live tensors at its peak: {mebibytes(base.memory)} -> {mebibytes(head.memory)}{at}")
    return lines or ["Operators, graph breaks, recompiles, host reads and the memory of tensors are the same."]


def _changed(what: str, base: Mapping[str, float], head: Mapping[str, float]) -> list[str]:
    names = [name for name in {**base, **head} if base.get(name, 0) != head.get(name, 0)]
    names.sort(key=lambda name: -abs(head.get(name, 0) - base.get(name, 0)))
    shown = [f"- {what}: {_cell(name)}: {base.get(name, 0):g} -> {head.get(name, 0):g}" for name in names]
    rest = len(shown) - _MOST_LISTED
    return shown[:_MOST_LISTED] + ([f"- {what}: {rest} more differ"] if rest > 0 else [])


def _machine(environment: Environment) -> str:
    device = ", ".join(environment.gpus) or environment.cpu
    return f"{device}, {len(environment.cores)} cores, {environment.platform}, torch {environment.torch}"


def _speed(interval: Interval | None) -> str:
    if interval is None:
        return "not measured"
    return f"{interval.ratio:.3f}x [{interval.low:.3f}, {interval.high:.3f}]"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
