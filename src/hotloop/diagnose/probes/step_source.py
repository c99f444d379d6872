"""The source of the program's steps: which statements could run as one graph, and which line stands in the way."""

import ast
from pathlib import Path

from hotloop.compile.loop.find import find_regions
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport


class StepSourceProbe(Probe):
    """Reads the files whose lines step an optimizer; where libraries do, there is nothing that could be cut out."""

    name = "step_source"

    def report(self, times: PhaseTimes) -> ProbeReport:
        """{"regions": [[path, first line, last line]], "in_the_way": [[path, line, reason]]} of the lines that step."""
        regions: list[list[str | int]] = []
        in_the_way: list[list[str | int]] = []
        lines = self.context.optimizer_lines.values()
        for path in dict.fromkeys(at.path for at in lines if at.path):
            tree = _tree(path)
            if tree is None:
                continue
            found, refusals = find_regions(tree, path)
            for region in found:
                first, last = region.statements[0].lineno, region.statements[-1].end_lineno or 0
                if any(at.path == path and first <= at.line <= last for at in lines):
                    regions.append([path, first, last])
            in_the_way += [[path, refusal.line, refusal.reason] for refusal in refusals]
        return ProbeReport(data={"regions": regions, "in_the_way": in_the_way})


def _tree(path: str) -> ast.Module | None:
    try:
        return ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
