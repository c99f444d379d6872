"""Tensors that grow by concatenation: `x = torch.cat([x, piece])` in a loop."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import measured_finding
from hotloop.finding import Finding

_GROWN = 3


@dataclass(kw_only=True)
class _Growth:
    """How often in a row a line has put something behind its own last result, now and at most."""

    size: int = -1
    in_a_row: int = 0
    longest: int = 0
    seconds: float = 0.0


class Concatenations:
    """Growth by line."""

    def __init__(self) -> None:
        self._lines: dict[SourceLine, _Growth] = {}

    def note(self, at: SourceLine, args: Any, result: Tensor, seconds: float) -> None:
        """`aten.cat` has run."""
        growth = self._lines.setdefault(at, _Growth())
        pieces = args[0] if args else ()
        has_last = any(isinstance(piece, Tensor) and piece.numel() == growth.size for piece in pieces)
        growth.in_a_row = growth.in_a_row + 1 if has_last and result.numel() > growth.size else 0
        growth.longest = max(growth.longest, growth.in_a_row)
        growth.size = result.numel()
        growth.seconds += seconds

    def findings(self, times: PhaseTimes, steps: int) -> list[Finding]:
        """A finding for each line that did so at least three times in a row."""
        findings: list[Finding] = []
        for at, growth in self._lines.items():
            if growth.longest < _GROWN:
                continue
            share = times.share(growth.seconds / steps)
            findings.append(
                measured_finding(
                    at,
                    code="DA11",
                    share=share,
                    cure="append to a list and concatenate once",
                    message=(
                        f"cat puts pieces behind its own result {growth.longest} times in a row: {share:.1%} of a step"
                    ),
                    evidence={"in_a_row": growth.longest},
                )
            )
        return findings
