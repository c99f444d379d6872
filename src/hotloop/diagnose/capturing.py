"""What running a step as one graph could be worth, and which line stands in the way."""

from collections.abc import Mapping
from typing import Any

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.probe import measured_finding
from hotloop.diagnose.program_kind import OVERHEAD
from hotloop.finding import Finding

_WORTH_REPORTING = 0.1


def capturing_findings(kind: Mapping[str, Any], step_source: Mapping[str, Any] | None) -> list[Finding]:
    """One for a step that spends a tenth or more outside of loading and of the work of operators; or none.

    `kind` is what `program_kind` told, and `step_source` the data of the probe of that name.
    """
    share = kind.get("shares", {}).get(OVERHEAD, 0.0)
    if share < _WORTH_REPORTING or not step_source:
        return []
    spent = f"{share:.0%} of a step is neither data nor the work of operators"
    if step_source["regions"]:
        path, first, last = step_source["regions"][0]
        lines = f"lines {first} to {last}" if last > first else f"line {first}"
        return [
            measured_finding(
                SourceLine(path, first),
                code="CO12",
                share=share,
                transform="captured_loop",
                message=f"{spent}; {lines} could run as one graph",
                cure="run them as one: captured_loop in a plan, which `hotloop prove` compares with the loop as it is",
            )
        ]
    if step_source["in_the_way"]:
        path, line, reason = step_source["in_the_way"][0]
        return [
            measured_finding(
                SourceLine(path, line),
                code="CO12",
                share=share,
                message=f"{spent}, and this line keeps it from running as one graph: {reason}",
                cure="move it in front of the model's call or behind the optimizer's step",
            )
        ]
    return []
